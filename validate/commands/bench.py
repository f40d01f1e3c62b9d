"""`bench`: times the pipeline itself and prints the figures that the README quotes, beside what they should be.

Builds are timed in a cache folder of their own, which is thrown away; the machine's figures come from one
real boot of the hardened image. Whole-run figures are read from the newest finished run, and say so.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from harden.render import Tree
from images.build import BuiltImage, build_target
from images.cache import Cache
from images.target import Target
from images.workload.choice import choose_workload
from results.base.errors import ExitCode, UsageError
from results.base.events import Events
from results.judges import FILE as JUDGES
from results.judges import Judges
from results.records import Variant
from results.store import load_run, read_record
from results.terminal import Terminal
from validate.audit.judge import judge
from validate.commands.build import debian_targets
from validate.facts.collect import collect, needed
from validate.family import make_family
from validate.judges.run import tool_audited
from validate.machine.accelerator import choose
from validate.machine.machine import MachineSettings, machine
from validate.options import Options
from validate.pipeline import disk_image
from validate.plan import Plan, load_plan

BOTH: tuple[Variant, ...] = ("baseline", "hardened")


@dataclass(frozen=True)
class Figure:
    """One number, and what it should be at most."""

    name: str
    value: float
    limit: float | None
    unit: str = "s"

    @property
    def line(self) -> str:
        """As it is printed."""
        wanted = "" if self.limit is None else f"   at most {self.limit:g} {self.unit}"
        late = "  TOO MUCH" if self.limit is not None and self.value > self.limit else ""
        return f"{self.name:52} {self.value:9.3f} {self.unit}{wanted}{late}"


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Wall-clock seconds of `work`, and what it gave."""
    started = time.monotonic()
    result = work()
    return time.monotonic() - started, result


def changed(tree: Tree) -> Tree:
    """The tree as one changed control would make it: one file differs by a comment."""
    first, *rest = tree.files
    return replace(
        tree,
        files=(replace(first, content=first.content + b"# changed\n"), *rest),
        digest=tree.digest[:-8] + "deadbeef",
    )


def build_figures(target: Target, plan: Plan, events: Events) -> Iterator[Figure]:
    """Cold, one control changed, nothing to do; in a fresh cache (downloads included)."""
    parent = Cache.default().folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as folder:
        cache = Cache(Path(folder))

        def build(tree: Tree) -> dict[Variant, BuiltImage]:
            workload = choose_workload(("reference",))
            return dict(build_target(target, tree=tree, workload=workload, variants=BOTH, cache=cache, events=events))

        yield Figure("cold build of both variants", timed(lambda: build(plan.tree))[0], 100)
        yield Figure("one control changed", timed(lambda: build(changed(plan.tree)))[0], 15)
        yield Figure("nothing to do", timed(lambda: build(plan.tree))[0], 1)


def machine_figures(image: BuiltImage, plan: Plan, options: Options, events: Events) -> Iterator[Figure]:
    """Boot, readiness, collecting and judging, in one real machine."""
    settings = MachineSettings(accelerator=choose(options.accel, events=events))
    disk = disk_image(image)
    with (
        tempfile.TemporaryDirectory(prefix="dots-bench-") as folder,
        machine(disk, settings=settings, folder=Path(folder), name="bench", events=events) as booted,
    ):
        boot = booted.boots[-1]
        yield Figure("boot to the guest's own word that it is ready", boot.seconds_to_console_ready, None)
        yield Figure("from the guest's ready to ours", boot.seconds_to_ready - boot.seconds_to_console_ready, 1)
        units, paths = needed(check.fact for check in plan.checks)
        make_family(booted.session, plan.product)
        for when in ("right after the boot", "on the settled machine"):
            seconds, facts = timed(lambda: collect(booted.session, plan.product, extra_units=units, extra_paths=paths))
            yield Figure(f"collecting all facts, {when}", seconds, 6)
        own = tool_audited(booted.session, plan, time_scale=booted.accelerator.time_scale)
        yield Figure("security-audit.sh in the machine", own.seconds, 6)
        checks = [asdict(check) for check in plan.checks]
        yield Figure(f"judging {len(checks)} checks", timed(lambda: judge(checks, facts))[0], 0.05)


def run_figures(options: Options) -> Iterator[Figure]:
    """What the newest run recorded of itself."""
    with contextlib.suppress(UsageError):
        record = load_run(options.results / "latest").record
        if record.complete:
            building = sum(step.seconds for step in record.steps if step.name == "images")
            whole = (datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.started)).total_seconds()
            yield Figure(f"validate without building ({record.id})", whole - building, 720)
            for step in record.steps:
                yield Figure(f"  {step.name}", step.seconds, None)
            if record.idle is not None:
                yield Figure("share of it in which no core worked for us", record.idle * 100, 5, "%")
            yield Figure("peak memory of our own process", record.peak_memory / 2**20, 200, "MB")


def peer_figures(options: Options) -> Iterator[Figure]:
    """Others at the same work, as ratios: what the newest `judges` run recorded."""
    for path in sorted((options.results.parent / "judges").glob(f"*/{JUDGES}"), reverse=True)[:1]:
        with contextlib.suppress(UsageError):
            made = read_record(path, Judges)
            if made.times_faster is not None:
                yield Figure(
                    f"checks in the time of one of Lynis' ({path.parent.name})", made.times_faster, None, "times"
                )


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Print every figure as soon as it is known; exit code 1 where one is over its limit."""
    plan = load_plan(options.product)
    late = False
    for target in debian_targets(options):
        terminal.line(f"{target.name}, {os.cpu_count()} cores")
        for figure in build_figures(target, plan, events):
            terminal.line(figure.line)
            late |= figure.limit is not None and figure.value > figure.limit
        workload = choose_workload(("reference",))
        images = build_target(
            target, tree=plan.tree, workload=workload, variants=BOTH, cache=Cache.default(), events=events
        )
        for figure in machine_figures(images["hardened"], plan, options, events):
            terminal.line(figure.line)
            late |= figure.limit is not None and figure.value > figure.limit
    for figure in (*run_figures(options), *peer_figures(options)):
        terminal.line(figure.line)
        late |= figure.limit is not None and figure.value > figure.limit
    return int(ExitCode.FAIL if late else ExitCode.PASS)
