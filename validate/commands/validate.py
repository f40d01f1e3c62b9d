"""`validate`: one run for each chosen target, and the worst exit code of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from harden.waivers import load_waivers
from images import nixos
from images.build import BuiltImage
from images.target import Target
from results import release
from results.adopt import FOLDER, adopt
from results.attest.keys import public_key
from results.base.errors import ExitCode, PipelineError, UsageError
from results.base.events import Events
from results.falsification import digest_of
from results.records import ImageRecord, Variant, Waivers
from results.report import render_run
from results.store import RunFolder, create, previous_durations, read_record, timestamp
from results.terminal import Terminal
from results.transcript import Transcript
from validate import requirements
from validate.commands.build import build_images, chosen_targets, require_sources
from validate.machine.accelerator import choose
from validate.machine.machine import MachineSettings
from validate.options import Options
from validate.pipeline import Job, run_job
from validate.plan import Plan, load_plan, on_nixos
from validate.recorder import Recorder, describe_host, git_commit
from validate.rejudge import CHECKS, as_document

MEMORY_FOR_TWO = 2 * MachineSettings.memory + 1024
"""MiB: both machines, and what QEMU and we need besides."""

BOTH: tuple[Variant, ...] = ("baseline", "hardened")


def ready_image(folder: Path) -> BuiltImage:
    """An image that somebody has built already: a folder with image.json and the disk. Raises `UsageError`."""
    record = read_record(folder / "image.json", ImageRecord)
    disk = folder / Path(record.disk).name
    if not disk.is_file():
        raise UsageError(f"{disk}: no such disk", "image.json names it, so it should lie beside it")
    return BuiltImage(record, folder, disk)


def ready_nixos_image(folder: Path, variant: Variant) -> BuiltImage:
    """The same for what `nix build ./nix#image-VARIANT` made, which has no image.json yet. Raises `UsageError`."""
    if (folder / "image.json").is_file():
        return ready_image(folder)
    if not (folder / nixos.DISK).is_file():
        raise UsageError(f"{folder / nixos.DISK}: no such disk", f"`nix build ./nix#image-{variant}` makes the folder")
    return BuiltImage(nixos.record_of(folder, variant, {"folder": str(folder)}), folder, folder / nixos.DISK)


def images_for(target: Target, plan: Plan, options: Options, events: Events) -> Mapping[Variant, BuiltImage]:
    """Ready images where named, built ones otherwise."""
    wanted = [variant for variant in BOTH if variant not in options.image]
    built = dict(build_images(target, plan, options, events, wanted)) if wanted else {}
    on_nix = target.distribution == "nixos"
    ready = {
        variant: ready_nixos_image(options.image[variant], variant) if on_nix else ready_image(options.image[variant])
        for variant in BOTH
        if variant in options.image
    }
    return {**built, **ready}


def last_release(options: Options, target: Target) -> release.Found | None:
    """The last run that was signed with `--key`; None where no key is named."""
    if not options.key:
        return None
    return release.last_signed(options.results, target.name, public_key(Path(options.key)))


def machines_at_a_time(jobs: int, events: Events, meminfo: Path = Path("/proc/meminfo")) -> int:
    """Both machines at once, unless the user or the host's memory is against it."""
    if jobs == 1:
        return 1
    found = re.search(r"^MemAvailable:\s+([0-9]+) kB$", meminfo.read_text(encoding="ascii"), re.MULTILINE)
    available = int(found[1]) // 1024 if found else 0
    if available >= MEMORY_FOR_TWO:
        return 2
    events.emit("note", f"one machine after the other: {available} MiB of memory, {MEMORY_FOR_TWO} for two at once")
    return 1


def validate_target(target: Target, plan: Plan, options: Options, events: Events, terminal: Terminal) -> int:
    """One run: folder, images, machines, verdict, report. Returns its exit code."""
    terminal.expect(previous_durations(options.results, target.name))
    now = datetime.now(UTC)
    waivers = load_waivers(options.waivers, plan.catalogue.by_id, now=timestamp(now))  # before there is a folder
    folder = create(options.results, target.name, " ".join(options.workload), git_commit=git_commit(events), now=now)
    folder.write("waivers.json", waivers)
    recorder = Recorder()
    with Transcript(folder.path / "transcript.jsonl") as transcript:
        events.subscribe(transcript)
        events.subscribe(recorder)
        try:
            return _run(target, plan, options, events, terminal, folder, recorder, waivers)
        finally:
            events.unsubscribe(recorder)
            events.unsubscribe(transcript)
            terminal.line(f"evidence: {folder.path}")


def _run(
    target: Target,
    plan: Plan,
    options: Options,
    events: Events,
    terminal: Terminal,
    folder: RunFolder,
    recorder: Recorder,
    waivers: Waivers,
) -> int:
    try:
        with recorder.recording(folder):
            with events.step("images"):
                images = images_for(target, plan, options, events)
            if target.distribution == "nixos":
                plan = on_nixos(plan, images["baseline"].folder)
            folder.write(CHECKS, as_document(plan.checks))
            adopt(options.results.parent / FOLDER, folder.path, target.name, digest_of(as_document(plan.checks)))
            with events.step("choose the accelerator"):
                accelerator = choose(options.accel, events=events)
            recorder.host = describe_host(accelerator.name, accelerator.reason, events)
            former = last_release(options, target)
            jobs = machines_at_a_time(options.jobs, events)
            job = Job(target.name, plan, images, accelerator, options.repetitions, options.keep, waivers, jobs, former)
            record = run_job(job, folder, recorder, events)
    except BaseException:
        _report_broken_run(folder, events)
        raise
    with events.step("report"):
        render_run(folder.path)
    terminal.verdict(record, folder.path)
    return record.exit_code


def _report_broken_run(folder: RunFolder, events: Events) -> None:
    """Render what there is; a report that cannot be made must not hide why the run broke off."""
    try:
        with events.step("report"):
            render_run(folder.path)
    except PipelineError as error:
        events.emit("warning", f"there is no report: {error.what}")


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Validate every chosen target; the worst exit code counts."""
    plan = load_plan(options.product)
    targets = chosen_targets(options)
    if options.key:
        public_key(Path(options.key))  # what is wrong with it is told before anything boots
    require_sources(targets, options, events)
    requirements.require()
    worst = int(ExitCode.PASS)
    for target in targets:
        try:
            code = validate_target(target, plan, options, events, terminal)
        except PipelineError as error:
            if len(targets) == 1:
                raise
            terminal.error(error)
            code = int(error.exit_code)
        worst = max(worst, code)
    return worst
