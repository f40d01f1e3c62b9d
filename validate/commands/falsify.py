"""`falsify`: every control is broken in a live machine, and its check has to turn red, and green again."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from harden.sabotages import sabotages
from images.build import BuiltImage
from images.target import Target
from results.adopt import FOLDER
from results.base.errors import UsageError
from results.base.events import Events
from results.falsification import FILE, Falsification, FalsifiedControl, digest_of
from results.records import Verdict
from results.report import render_run
from results.store import RunFolder, create, load_run, timestamp
from results.terminal import Terminal
from results.text import duration, plural
from results.transcript import Transcript
from validate import requirements
from validate.commands.build import build_images, chosen_targets
from validate.commands.validate import ready_image
from validate.falsify.grouping import Case, cases
from validate.falsify.run import Falsifier, Mode
from validate.machine.accelerator import choose
from validate.machine.machine import MachineSettings, machine
from validate.options import Options
from validate.pipeline import disk_image
from validate.plan import Plan, load_plan
from validate.rejudge import CHECKS, as_document, load_checks_document


def chosen_cases(plan: Plan, only: Sequence[str]) -> list[Case]:
    """The cases of all controls, or of those that fit a glob of `only`. Raises `UsageError` for one that fits none."""
    every = cases(sabotages(plan.catalogue, plan.described, plan.tree), plan.checks)
    idle = [glob for glob in only if not any(fnmatchcase(case.control, glob) for case in every)]
    if idle:
        raise UsageError(f"--only {idle[0]}: no control is called so", "`harden/controls/` has their ids")
    return [case for case in every if not only or any(fnmatchcase(case.control, glob) for glob in only)]


def checked_run(folder: str, target: str, checks: str) -> Path | None:
    """The run that the evidence goes into. Raises `UsageError` where it would say nothing about that run."""
    if not folder:
        return None
    stored = load_run(Path(folder))
    if stored.record.target != target:
        raise UsageError(
            f"{folder}: a run of {stored.record.target}, not of {target}", "`--target` names the other one"
        )
    if digest_of(load_checks_document(stored.folder / CHECKS)) != checks:
        raise UsageError(f"{folder}: judged with other checks than these", "validate again, or check its commit out")
    return stored.folder


def lines(found: Falsification) -> Iterator[str]:
    """What is told: a line for each control, then those without proof, then the sum."""
    also = found.also_red
    for one in found.controls:
        if one.proven:
            with_it = (
                f"; also red: {', '.join(also[one.control])}"
                if found.mode == "one by one" and also[one.control]
                else ""
            )
            yield f"proven by {one.evidence}: {one.control}{with_it}"
    for one in found.unproven:
        yield f"NOT PROVEN: {one.control}: {one.message}"
        yield f"    sabotage: {one.sabotage}"
    kinds = ", ".join(f"{count} by {kind}" for kind, count in found.by_evidence.items())
    yield (
        f"{found.proven} of {plural(len(found.controls), 'control')} proven ({kinds}), {found.mode}, "
        f"in {plural(len(found.groups), 'group')} and {duration(found.seconds)}"
    )


def _ordered(every: Sequence[Case], seen: dict[str, FalsifiedControl]) -> tuple[FalsifiedControl, ...]:
    return tuple(seen[case.control] for case in every)


def falsify_in(
    image: BuiltImage,
    target: Target,
    plan: Plan,
    every: Sequence[Case],
    options: Options,
    folder: RunFolder,
    events: Events,
) -> Falsification:
    """One throw-away machine, all cases."""
    mode: Mode = "one by one" if options.one_by_one else "grouped"
    accelerator = choose(options.accel, events=events)
    started, begun = timestamp(), time.monotonic()
    settings = MachineSettings(accelerator=accelerator, keep=options.keep)
    with machine(disk_image(image), settings=settings, folder=folder.path, name="falsify", events=events) as booted:
        seen = Falsifier(booted, plan, events, mode).run(every)
    return Falsification(
        target=target.name,
        checks=digest_of(as_document(plan.checks)),
        image=image.record.sha256,
        mode=mode,
        partial=len(every) < len(plan.catalogue.controls),
        accelerator=accelerator.name,
        started=started,
        seconds=round(time.monotonic() - begun, 3),
        controls=_ordered(every, seen.controls),
        groups=tuple(seen.groups),
    )


def falsify_target(target: Target, plan: Plan, options: Options, events: Events, terminal: Terminal) -> int:
    """One target. Returns the exit code."""
    if target.distribution == "nixos":
        raise UsageError(f"{target.name}: only Debian's layout can be broken yet", "`--target debian-trixie`")
    every = chosen_cases(plan, options.only)
    into = checked_run(options.run, target.name, digest_of(as_document(plan.checks)))
    with events.step("images"):
        ready = options.image.get("hardened")
        image = ready_image(ready) if ready else build_images(target, plan, options, events, ("hardened",))["hardened"]
    folder = create(options.results.parent / FOLDER, target.name, " ".join(options.workload))
    with Transcript(folder.path / "transcript.jsonl") as transcript:
        events.subscribe(transcript)
        try:
            found = falsify_in(image, target, plan, every, options, folder, events)
        finally:
            events.unsubscribe(transcript)
    folder.write(FILE, found)
    told = list(lines(found))
    for line in told:
        terminal.line(line)
    code = folder.conclude(Verdict.FAIL if found.unproven else Verdict.PASS, (told[-1],))
    if into:
        RunFolder(into, folder.record).write(FILE, found)
        render_run(into)
        terminal.line(f"shown in: {into}/report.html")
    terminal.line(f"evidence: {folder.path}")
    return code


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Falsify on every chosen target; the worst exit code counts."""
    plan = load_plan(options.product)
    targets = chosen_targets(options)
    if options.run and len(targets) > 1:
        raise UsageError("--run takes the evidence of one target", "name one with `--target`")
    requirements.require()
    return max(falsify_target(target, plan, options, events, terminal) for target in targets)
