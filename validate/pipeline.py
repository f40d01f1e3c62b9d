"""The flow of one run (README, "What one run does"): one value goes from step to step, every arrow is a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

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
from validate.side_by_side import side_by_side
from validate.turns import Turns


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
    jobs: int = 1
    """Machines at a time."""
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
        self.turns = Turns()

    def run(self) -> Judgement:
        """Validate: both machines, comparison, verdict. Raises `PipelineError` when there can be none."""
        flows = [partial(self._flow, self._deployed_machine), partial(self._flow, self._baked_machine)]
        (before, after), (baked, rebooted) = side_by_side(flows, self.job.jobs)
        seen = Seen(before, after, baked, rebooted)
        comparison = self._compare(seen)
        self.folder.write("comparison.json", comparison)
        return self._verdict(seen, comparison)

    def _flow(self, work: Callable[[], tuple[Observation, Observation]]) -> tuple[Observation, Observation]:
        """One machine's part. Where it breaks off, the other begins nothing any more."""
        try:
            return work()
        except BaseException:
            self.turns.break_off()
            raise

    @contextmanager
    def _boot(self, variant: Variant) -> Iterator[tuple[Machine, Family]]:
        """A machine of this variant with the family in it; afterwards its image must be what it was."""
        image = disk_image(self.job.images[variant])
        settings = MachineSettings(accelerator=self.job.accelerator, keep=self.job.keep)
        with ExitStack() as stack:
            with self.turns.beside():
                booted = stack.enter_context(
                    machine(image, settings=settings, folder=self.folder.path, name=variant, events=self.events)
                )
                self.recorder.boots[variant].extend(booted.boots)
                with self.events.step(f"{variant}: family accounts"):
                    family = make_family(booted.session, self.job.plan.product)
            yield booted, family

    def _reboot(self, booted: Machine, variant: Variant, step: str) -> None:
        """Reboot, and what a system needs anew afterwards."""
        with self.turns.beside():
            with self.events.step(step):
                self.recorder.boots[variant].append(booted.reboot())
            if self.job.plan.store is not None:  # units are enabled for one boot only where their folder is read-only
                make_family(booted.session, self.job.plan.product)

    def _audit(self, booted: Machine, variant: Variant, phase: Phase) -> Observation:
        """Alone, since it is timed."""
        with self.turns.alone():
            return self.observer.audit(booted.session, self._key(booted, variant, phase))

    def _measure(self, booted: Machine, seen: Observation) -> Observation:
        """Alone, since it is timed."""
        with self.turns.alone():
            return self.observer.measure(booted.session, seen, self._conditions(booted), self.job.repetitions)

    def _probe(self, booted: Machine, seen: Observation, family: Family) -> Observation:
        with self.turns.beside():
            return self.observer.probe(booted.session, seen, family)

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
        with self._boot("baseline") as (booted, family):
            before = self._measure(booted, self._audit(booted, "baseline", "before"))
            before = self._probe(booted, before, family)
            self._deploy(booted)
            after = self._measure(booted, self._audit(booted, "baseline", "after"))
            return before, self._probe(booted, after, family)

    def _deploy(self, booted: Machine) -> None:
        """What an administrator does to the baseline, and the reboot that ends it."""
        plan = self.job.plan
        if plan.store is None:
            with self.turns.beside():
                deploy.apply_hardening(booted.session, plan.bundle, self.events)
            self._audit(booted, "baseline", "deployed")
            with self.turns.beside():
                deploy.apply_tuning(booted.session, self.events)
                deploy.clean_up(booted.session)
        else:
            with self.turns.beside():
                deploy.choose_hardened_system(booted.session, self.events)
        self._reboot(booted, "baseline", "deploy: reboot")

    def _baked_machine(self) -> tuple[Observation, Observation]:
        """The hardened image, as it would be released; and what is left of its state after a reboot."""
        with self._boot("hardened") as (booted, family):
            baked = self._probe(booted, self._audit(booted, "hardened", "after"), family)
            self._reboot(booted, "hardened", "hardened: one more reboot")
            return baked, self._audit(booted, "hardened", "rebooted")

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
