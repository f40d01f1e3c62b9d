"""`attack`: every probe on a machine without the hardening and on one with it, and what became of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from images.build import BuiltImage
from images.target import Target
from results.base.events import Events
from results.records import Key, Outcome, Phase, ProbeResult, Probes, Variant, Verdict
from results.store import RunFolder, create
from results.terminal import Terminal
from results.text import one_line
from results.verdict import judged
from validate import requirements
from validate.commands.build import debian_targets
from validate.commands.validate import images_for, machines_at_a_time
from validate.family import make_family
from validate.machine.accelerator import Accelerator, choose
from validate.machine.machine import MachineSettings, machine
from validate.options import Options
from validate.pipeline import disk_image
from validate.plan import Plan, load_plan
from validate.probes.run import run_probes
from validate.side_by_side import side_by_side

STAGES: tuple[tuple[Variant, Phase], ...] = (("baseline", "before"), ("hardened", "after"))
Fate = Literal[
    "stopped by the hardening", "stopped before, too", "NOT STOPPED", "no control is meant to stop it", "BROKE"
]


@dataclass(frozen=True)
class Row:
    """One probe on both machines."""

    before: ProbeResult
    after: ProbeResult

    @property
    def fate(self) -> Fate:
        """What became of an attack."""
        if self.broke:
            return "BROKE"
        if self.after.outcome is Outcome.PASS:
            return "stopped by the hardening" if self.before.succeeded else "stopped before, too"
        if self.after.outcome is Outcome.WARN:
            return "no control is meant to stop it"
        return "NOT STOPPED"

    @property
    def failed(self) -> bool:
        """Whether it fails the session: an attack that works or could not be tried, a use that does not work."""
        if self.after.kind == "positive":
            return self.after.outcome is Outcome.FAIL or self.before.outcome is Outcome.FAIL or self.broke
        return self.after.outcome in (Outcome.FAIL, Outcome.ERROR) or self.broke

    @property
    def broke(self) -> bool:
        """Whether either attempt did not get as far as to succeed or to be stopped."""
        return Outcome.ERROR in (self.before.outcome, self.after.outcome)


def rows(before: Sequence[ProbeResult], after: Sequence[ProbeResult]) -> tuple[Row, ...]:
    """Both machines side by side; both were asked the same probes."""
    first = {one.id: one for one in before}
    return tuple(Row(first[one.id], one) for one in after)


def lines(seen: Sequence[Row]) -> Iterator[str]:
    """What is told: every attack with its fate and its evidence, then every use that fails."""
    attacks = [row for row in seen if row.after.kind == "attack"]
    for row in attacks:
        yield f"{row.fate}: {row.after.id}, as {row.after.identity}: {one_line(row.after.title)}"
        evidence = row.after.evidence or (row.after.message,)
        yield f"    {one_line(evidence[0])}"
    for row in seen:
        if row.after.kind == "positive" and row.failed:
            yield f"DOES NOT WORK: {row.after.id}, as {row.after.identity}: {one_line(row.after.message)}"
    stopped = sum(row.after.outcome is Outcome.PASS for row in attacks)
    bitten = sum(row.fate == "stopped by the hardening" for row in attacks)
    uses = [row for row in seen if row.after.kind == "positive"]
    working = sum(not row.failed for row in uses)
    yield (
        f"{stopped} of {len(attacks)} attacks stopped, {bitten} of them worked without the hardening; "
        f"{working} of {len(uses)} legitimate uses work on both machines"
    )


@dataclass(frozen=True)
class Range:
    """Where the attacks are tried: one target's images and what runs them."""

    target: Target
    plan: Plan
    images: Mapping[Variant, BuiltImage]
    accelerator: Accelerator
    folder: RunFolder
    events: Events

    def attempt(self, variant: Variant, phase: Phase) -> tuple[ProbeResult, ...]:
        """One throw-away machine, all probes."""
        disk = disk_image(self.images[variant])
        settings = MachineSettings(accelerator=self.accelerator)
        with machine(disk, settings=settings, folder=self.folder.path, name=variant, events=self.events) as booted:
            family = make_family(booted.session, self.plan.product)
            with self.events.step(f"{variant}: probes"):
                scale = self.accelerator.time_scale
                tried = run_probes(booted.session, self.plan.product, family.people, time_scale=scale)
            key = Key(target=self.target.name, variant=variant, phase=phase, boot_id=booted.boots[-1].boot_id)
        probes = judged(tried, hardened=variant == "hardened")
        self.folder.stage(variant, phase, "probes.json", Probes(key=key, probes=probes))
        return probes


def attack_target(target: Target, plan: Plan, options: Options, events: Events, terminal: Terminal) -> int:
    """Both machines of one target. Returns the exit code."""
    with events.step("images"):
        images = images_for(target, plan, options, events)
    accelerator = choose(options.accel, events=events)
    folder = create(options.results.parent / "attacks", target.name, " ".join(options.workload))
    ground = Range(target, plan, images, accelerator, folder, events)
    attempts = [partial(ground.attempt, variant, phase) for variant, phase in STAGES]
    before, after = side_by_side(attempts, machines_at_a_time(options.jobs, events))
    seen = rows(before, after)
    told = list(lines(seen))
    for line in told:
        terminal.line(line)
    code = folder.conclude(Verdict.FAIL if any(row.failed for row in seen) else Verdict.PASS, (told[-1],))
    terminal.line(f"evidence: {folder.path}")
    return code


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Attack every chosen target; the worst exit code counts."""
    plan = load_plan(options.product)
    targets = debian_targets(options)
    requirements.require()
    return max(attack_target(target, plan, options, events, terminal) for target in targets)
