"""`judges`: what Lynis, systemd and kernel-hardening-checker say of a machine, without the hardening and with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from images.build import BuiltImage
from images.cache import Cache
from images.target import Target
from results.base.errors import UsageError
from results.base.events import Events
from results.judges import FILE, Judges
from results.records import RunRecord, Variant
from results.report import render_run
from results.store import RunFolder, as_json, create, read_record, write_whole
from results.terminal import Terminal
from results.text import one_line
from results.transcript import Transcript
from validate import requirements
from validate.commands.build import chosen_targets
from validate.commands.validate import images_for
from validate.family import CHILD, make_family
from validate.judges.answers import load_answers, load_wanted
from validate.judges.kernel import kernel
from validate.judges.run import Opinion, ask, audited, fetch_lynis, tool_audited
from validate.judges.verdict import Question, judged
from validate.machine.accelerator import Accelerator, choose
from validate.machine.machine import MachineSettings, machine
from validate.options import Options
from validate.pipeline import disk_image
from validate.plan import Plan, load_plan
from validate.side_by_side import side_by_side


@dataclass(frozen=True)
class Court:
    """Where the judges are asked: one target's images and what runs them."""

    plan: Plan
    images: Mapping[Variant, BuiltImage]
    accelerator: Accelerator
    lynis: Path
    folder: RunFolder
    events: Events

    def hear(self, variant: Variant) -> Opinion:
        """One throw-away machine with the family in it, so that the child's monitor is judged too."""
        disk = disk_image(self.images[variant])
        settings = MachineSettings(accelerator=self.accelerator)
        with machine(disk, settings=settings, folder=self.folder.path, name=variant, events=self.events) as booted:
            make_family(booted.session, self.plan.product)
            scale = self.accelerator.time_scale
            with self.events.step(f"{variant}: our own audit"):
                audit = audited(booted.session, self.plan)
            tool = None
            if variant == "hardened":
                with self.events.step(f"{variant}: the machine's own audit"):
                    tool = tool_audited(booted.session, self.plan, time_scale=scale)
            heard = ask(booted.session, self.lynis, variant, time_scale=scale, events=self.events)
            return replace(heard, audit=audit, own_tool=tool)


def lines(made: Judges) -> Iterator[str]:
    """What is told."""
    for one in made.exposures:
        yield f"exposure of {one_line(one.unit)}: {_score(one.before)} before, {_score(one.after)} after"
    kernel = made.kernel
    if kernel.values:
        yield f"kernel: {kernel.before} of {len(kernel.values)} expectations hold before, {kernel.after} after"
    else:
        yield f"kernel: not judged: {kernel.why_not}"
    remarks = f"{len(made.before.remarks)} remarks before, {len(made.after.remarks)} after"
    yield f"Lynis {made.after.version}: {remarks}, {made.after.tests} tests"
    yield f"Lynis' hardening index: {made.before.index} before, {made.after.index} after"
    if made.times_faster is not None:
        yield f"our own audit: {made.times_faster:.0f} checks in the time of one of Lynis' tests"
    if made.own_tool is not None:
        yield f"the machine's own audit: {made.own_tool.checks} checks in {made.own_tool.seconds:.1f} s"
    yield from (f"FAIL: {one_line(why)}" for why in made.why)


def _score(score: float | None) -> str:
    return "not there" if score is None else f"{score:.1f}"


def judge_target(target: Target, plan: Plan, options: Options, events: Events, terminal: Terminal) -> int:
    """Both machines of one target. Returns the exit code."""
    answers, wanted = load_answers(plan.catalogue.by_id), load_wanted()
    with events.step("images"):
        images = images_for(target, plan, options, events)
    joined = run_to_join(options, target, images)
    lynis = fetch_lynis(target, Cache.default(), events)
    accelerator = choose(options.accel, events=events)
    folder = create(options.results.parent / "judges", target.name, " ".join(options.workload))
    with Transcript(folder.path / "transcript.jsonl") as transcript:
        events.subscribe(transcript)
        try:
            court = Court(plan, images, accelerator, lynis, folder, events)
            before, after = side_by_side([lambda: court.hear("baseline"), lambda: court.hear("hardened")], options.jobs)
            digests = {variant: image.record.sha256 for variant, image in images.items()}
            question = Question(target.name, folder.record.started, plan.product, CHILD, digests, answers, wanted)
            made = judged(question, before, after, kernel(before.kernel, after.kernel, events))
        finally:
            events.unsubscribe(transcript)
    folder.write(FILE, made)
    for line in lines(made):
        terminal.line(line)
    if joined:
        write_whole(joined / FILE, as_json(made))
        render_run(joined)
        terminal.line(f"report: {joined / 'report.html'}")
    why = made.why or (f"Lynis' hardening index is {made.after.index}, and every remark is answered",)
    code = folder.conclude(made.verdict, why)
    terminal.line(f"evidence: {folder.path}")
    return code


def run_to_join(options: Options, target: Target, images: Mapping[Variant, BuiltImage]) -> Path | None:
    """The run that the record is to be part of, if one is named. Raises `UsageError` where it does not belong there."""
    if not options.run:
        return None
    path = Path(options.run)
    record = read_record(path / "run.json", RunRecord)
    if record.target != target.name:
        raise UsageError(f"{path}: is a run of {record.target}, not of {target.name}", "`--target` names the target")
    if (path / "attestation.json").exists():
        raise UsageError(f"{path}: is signed, and would not be what was signed any more", "join first, then sign")
    other = [v for v, image in images.items() if v in record.images and record.images[v].sha256 != image.record.sha256]
    if other:
        raise UsageError(
            f"{path}: was made with another {' and '.join(other)} image than the present one",
            "validate again, or name that run's images with `--image`",
        )
    return path.resolve()


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Hear the judges on every chosen target; the worst exit code counts."""
    plan = load_plan(options.product)
    targets = chosen_targets(options)
    requirements.require()
    return max(judge_target(target, plan, options, events, terminal) for target in targets)
