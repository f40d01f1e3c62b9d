"""Which machines are booted for `perf`, in which order, and what each gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from images.build import BuiltImage
from results.base.events import Events
from results.cost.judge import Clock
from results.cost.records import PerfBoot, Round, Side
from results.records import Variant
from validate.family import make_family
from validate.machine.accelerator import Accelerator
from validate.machine.machine import MachineSettings, machine
from validate.perf.layers import BOOTED, LIVE, Live, without
from validate.perf.rounds import PARTS, TSC, Asker
from validate.pipeline import disk_image
from validate.plan import Plan
from validate.side_by_side import side_by_side

SLOWER = 4.0
"""How much longer a machine takes whose time follows instructions: one thread does everything."""

ATTRIBUTED = ("services", "bus", "execs", "filter", "kernel")
"""Parts that are measured again without each layer."""

TUNING = "-tuning.conf"

AT_ONCE = {"deterministic": 2, "wall": 1}
"""Machines side by side. Where time follows instructions they do not disturb each other."""


@dataclass(frozen=True)
class Job:
    """One boot that is wanted."""

    label: str
    side: Side
    kernel_arguments: tuple[str, ...] = ()
    parts: tuple[str, ...] = PARTS
    rounds: int = 3
    without: str = ""
    """The layer that `kernel_arguments` take away."""
    live: tuple[Live, ...] = ()
    """Layers that are left out one after the other once the rounds are taken; then comes another whole round."""
    untuned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    """What every boot has in common."""

    plan: Plan
    images: Mapping[Variant, BuiltImage]
    accelerator: Accelerator
    clock: Clock
    folder: Path
    events: Events
    jobs: int = 2

    @property
    def scale(self) -> float:
        """By what the guest's time limits are stretched."""
        return self.accelerator.time_scale * (SLOWER if self.clock == "deterministic" else 1)

    def boot(self, job: Job) -> PerfBoot:
        """Boot, let the machine come to rest, take the rounds."""
        settings = MachineSettings(
            accelerator=self.accelerator,
            cpus=1,
            deterministic=self.clock == "deterministic",
            kernel_arguments=job.kernel_arguments,
        )
        image = disk_image(self.images[job.side])
        with machine(image, settings=settings, folder=self.folder, name=job.label, events=self.events) as booted:
            family = make_family(booted.session, self.plan.product)
            source = TSC if self.clock == "deterministic" else ""
            asker = Asker(booted.session, self.plan.product, family.people, self.scale, source)
            with self.events.step(f"{job.label}: measure"):
                rest = asker.settle()
                if not rest.quiet:
                    self.events.emit("warning", f"{job.label}: not at rest after {rest.waited:.0f} s of its time")
                rounds = [asker.round(job.parts, without=job.without) for _ in range(job.rounds)]
            for layer in job.live:
                if not layer.restart and rounds[-1].without and not rounds[-1].without.startswith("tuning."):
                    rounds.append(asker.round(job.parts))  # the layers are back: what follows is compared with this
                with self.events.step(f"{job.label}: without {layer.layer}"):
                    rounds += self._without(layer, asker, job)
            if job.live:
                rounds.append(asker.round(job.parts))
            record = booted.boots[-1]
            tuned = asker.sysctl(tuned_keys(self.plan))
        return PerfBoot(
            label=job.label,
            side=job.side,
            boot_id=record.boot_id,
            seconds_to_ready=record.seconds_to_ready,
            quiet=rest.quiet,
            waited=rest.waited,
            rounds=tuple(rounds),
            sysctl=tuned,
        )

    def _without(self, layer: Live, asker: Asker, job: Job) -> list[Round]:
        """A round without one layer."""
        seconds = 60 * self.scale
        with without(layer, asker.session, self.plan.product, job.untuned, seconds):
            return [asker.round(layer.parts or job.parts, without=layer.layer)]

    def boot_all(self, jobs: Sequence[Job], over: Callable[[PerfBoot], None] = lambda _: None) -> list[PerfBoot]:
        """Every job, as many at once as the clock allows; `over` hears of each as soon as it is."""

        def work(job: Job) -> PerfBoot:
            boot = self.boot(job)
            over(boot)
            return boot

        return side_by_side([partial(work, job) for job in jobs], min(self.jobs, AT_ONCE[self.clock]))


def tuned_keys(plan: Plan) -> list[str]:
    """Keys that production-tuning.conf sets."""
    files = [one.content.decode() for one in plan.tree.files if one.path.endswith(TUNING)]
    lines = [line for text in files for line in text.splitlines() if "=" in line and not line.startswith("#")]
    return [line.split("=", 1)[0].strip() for line in lines]


def attributing(rounds: int, untuned: Mapping[str, str], tuning: Sequence[Live] = ()) -> list[Job]:
    """The boots that tell which layer costs what, and whether each group of the tuning is good for something."""
    layers = (*LIVE, *tuning)
    jobs = [Job("attribution", "hardened", rounds=rounds, live=layers, untuned=untuned)]
    for layer, words in BOOTED.items():
        label = f"without-{layer.replace(' ', '-')}"
        jobs.append(Job(label, "hardened", words, parts=ATTRIBUTED, rounds=rounds, without=layer))
    return jobs


def interleaved(pairs: int, rounds: int) -> list[Job]:
    """Baseline and hardened in the order ABBA, so that a drift of the host falls on both sides alike."""
    jobs = []
    for number in range(1, pairs + 1):
        order: tuple[Side, Side] = ("baseline", "hardened") if number % 2 else ("hardened", "baseline")
        jobs += [Job(f"{side}-{number}", side, rounds=rounds) for side in order]
    return jobs
