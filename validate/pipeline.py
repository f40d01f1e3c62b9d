"""The flow of one run (README, "What one run does"): one value goes from step to step, every arrow is a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from images.build import BuiltImage
from results import release
from results.base.errors import ExitCode
from results.base.events import Events
from results.compare import Rules, Side, compare, load_explanations
from results.records import Comparison, Conditions, Key, Phase, RunRecord, Variant, Verdict, Waivers
from results.store import RunFolder
from results.verdict import Case, Evidence, Judgement, Required, verdict
from validate import deploy
from validate.benchmarks.budgets import load_budgets, required_measures
from validate.facts.stable import stable
from validate.family import Family, make_family
from validate.machine.accelerator import Accelerator
from validate.machine.machine import DiskImage, Machine, MachineSettings, machine
from validate.observe import Observation, Observer
from validate.plan import Plan
from validate.probes.catalogue import probes
from validate.recorder import Recorder


@dataclass(frozen=True)
class Job:
    """What one run is to do; frozen."""

    target: str
    plan: Plan
    images: Mapping[Variant, BuiltImage]
    accelerator: Accelerator
    repetitions: int
    keep: bool
    waivers: Waivers | None = None
    release: release.Found | None = None
    """The last signed run; None: not asked for."""


@dataclass(frozen=True)
class Seen:
    """All observations of a run."""

    before: Observation
    after: Observation
    baked: Observation
    rebooted: Observation
    """The baked machine once more, after everything that was tried on it and one more reboot."""


def disk_image(built: BuiltImage) -> DiskImage:
    """A built image as what a machine runs from."""
    return DiskImage(built.disk, built.record.sha256, built.record.architecture)


class Pipeline:
    """Runs one job into one run folder."""

    def __init__(self, job: Job, folder: RunFolder, recorder: Recorder, events: Events) -> None:
        """Load what must be right before any machine starts."""
        self.job = job
        self.folder = folder
        self.recorder = recorder
        self.events = events
        self.rules = Rules(budgets=load_budgets(job.plan.product), explanations=load_explanations())
        self.observer = Observer(job.plan, folder, events, job.accelerator.time_scale)

    def run(self) -> Judgement:
        """Validate: both machines, comparison, verdict. Raises `PipelineError` when there can be none."""
        before, after = self._deployed_machine()
        seen = Seen(before, after, *self._baked_machine())
        comparison = self._compare(seen)
        self.folder.write("comparison.json", comparison)
        return self._verdict(seen, comparison)

    @contextmanager
    def _boot(self, variant: Variant) -> Iterator[tuple[Machine, Family]]:
        """A machine of this variant with the family in it; afterwards its image must be what it was."""
        image = disk_image(self.job.images[variant])
        settings = MachineSettings(accelerator=self.job.accelerator, keep=self.job.keep)
        with machine(image, settings=settings, folder=self.folder.path, name=variant, events=self.events) as booted:
            self.recorder.boots.extend(booted.boots)
            with self.events.step(f"{variant}: family accounts"):
                family = make_family(booted.session, self.job.plan.product)
            yield booted, family

    def _key(self, booted: Machine, variant: Variant, phase: Phase) -> Key:
        return Key(target=self.job.target, variant=variant, phase=phase, boot_id=booted.boots[-1].boot_id)

    def _conditions(self, booted: Machine) -> Conditions:
        host = self.recorder.host
        return Conditions(
            accelerator=self.job.accelerator.name,
            cpus=booted.settings.cpus,
            host=f"{host.cpu}, {host.kernel}" if host else "",
        )

    def _deployed_machine(self) -> tuple[Observation, Observation]:
        """The baseline machine: before, the seed's four steps, after."""
        repetitions = self.job.repetitions
        with self._boot("baseline") as (booted, family):
            before = self.observer.audit(booted.session, self._key(booted, "baseline", "before"))
            before = self.observer.measure(booted.session, before, self._conditions(booted), repetitions)
            before = self.observer.probe(booted.session, before, family)
            self._deploy(booted)
            after = self.observer.audit(booted.session, self._key(booted, "baseline", "after"))
            after = self.observer.measure(booted.session, after, self._conditions(booted), repetitions)
            after = self.observer.probe(booted.session, after, family)
        return before, after

    def _deploy(self, booted: Machine) -> None:
        """What an administrator does to the baseline, and the reboot that ends it."""
        plan = self.job.plan
        if plan.store is None:
            deploy.apply_hardening(booted.session, plan.bundle, self.events)
            self.observer.audit(booted.session, self._key(booted, "baseline", "deployed"))
            deploy.apply_tuning(booted.session, self.events)
            deploy.clean_up(booted.session)
        else:
            deploy.choose_hardened_system(booted.session, self.events)
        with self.events.step("deploy: reboot"):
            self.recorder.boots.append(booted.reboot())
        if plan.store is not None:  # units are enabled for one boot only where their folder is read-only
            make_family(booted.session, plan.product)

    def _baked_machine(self) -> tuple[Observation, Observation]:
        """The hardened image, as it would be released; and what is left of its state after a reboot."""
        with self._boot("hardened") as (booted, family):
            baked = self.observer.audit(booted.session, self._key(booted, "hardened", "after"))
            baked = self.observer.probe(booted.session, baked, family)
            with self.events.step("hardened: one more reboot"):
                self.recorder.boots.append(booted.reboot())
            if self.job.plan.store is not None:
                make_family(booted.session, self.job.plan.product)
            return baked, self.observer.audit(booted.session, self._key(booted, "hardened", "rebooted"))

    def _compare(self, seen: Seen) -> Comparison:
        made = compare(
            self.job.target,
            Side(seen.before.findings, seen.before.samples, stable(seen.before.facts)),
            Side(seen.after.findings, seen.after.samples, stable(seen.after.facts)),
            Side(seen.baked.findings, seen.baked.samples, stable(seen.baked.facts)),
            self.rules,
            Side(seen.rebooted.findings, (), stable(seen.rebooted.facts)),
        )
        if self.job.release is None:
            return made
        told = release.since(self.job.release, seen.baked.findings, seen.baked.probes)
        return made.model_copy(update={"release": told})

    def _verdict(self, seen: Seen, comparison: Comparison) -> Judgement:
        required = Required(
            controls=frozenset(check.control for check in self.job.plan.checks),
            probes=frozenset(spec.id for spec in probes()),
            measures=required_measures(self.job.plan.product),
        )
        case = Case(
            Evidence("shipped", seen.before.findings, seen.before.probes),
            Evidence("deployed", seen.after.findings, seen.after.probes),
            Evidence("baked", seen.baked.findings, seen.baked.probes),
            comparison,
            required,
            self.job.waivers,
        )
        return verdict(case)


def run_job(job: Job, folder: RunFolder, recorder: Recorder, events: Events) -> RunRecord:
    """Run a job to its verdict and write run.json. `Recorder.recording` is for runs that do not get there."""
    recorder.images = {variant: built.record for variant, built in job.images.items()}
    found, why = Pipeline(job, folder, recorder, events).run()
    code = ExitCode.PASS if found is Verdict.PASS else ExitCode.FAIL
    return recorder.finish(folder, found, why, int(code))
