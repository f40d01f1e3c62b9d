"""Boot, readiness, collecting and judging, in one real machine."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from images.build import BuiltImage
from results.base.events import Events
from validate.audit.judge import judge
from validate.bench.figure import Figure, timed
from validate.facts.collect import collect, needed
from validate.family import make_family
from validate.judges.run import tool_audited
from validate.machine.accelerator import choose
from validate.machine.machine import MachineSettings, machine
from validate.options import Options
from validate.pipeline import disk_image
from validate.plan import Plan


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
        for when, limit in (("first (Python compiles it)", None), ("from then on", 6)):
            own = tool_audited(booted.session, plan, time_scale=booted.accelerator.time_scale)
            yield Figure(f"security-audit.sh, {when}", own.seconds, limit)
        checks = [asdict(check) for check in plan.checks]
        yield Figure(f"judging {len(checks)} checks", timed(lambda: judge(checks, facts))[0], 0.05)
