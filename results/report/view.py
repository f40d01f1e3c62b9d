"""What the report says, as plain data: put together here, laid out elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from results.records import Finding, Measure, Outcome, ProbeResult, RunRecord, Severity, Verdict
from results.report.figures import Figure, figures
from results.store import Stage, StoredRun
from results.verdict import NOTE, judged

Tone = Literal["good", "bad", "unsure", "plain"]

WORST = (Outcome.ERROR, Outcome.FAIL, Outcome.WARN, Outcome.PASS, Outcome.NOT_APPLICABLE)
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")

MACHINES = {"before": "as shipped", "after": "deployed", "baked": "baked image"}
"""How the report calls the three machines."""

LAYERS = {
    "systemd": "systemd units",
    "dbus": "D-Bus",
    "users": "Users and permissions",
    "permissions": "Users and permissions",
    "kernel": "Kernel",
    "ebpf": "eBPF",
    "apparmor": "AppArmor",
    "network": "Network",
    "audit": "Audit log",
    "monitoring": "Monitoring",
    "sysctl": "Kernel settings",
    "ssh": "SSH",
}


@dataclass(frozen=True)
class Control:
    """One control on all three machines; None where it was not judged."""

    finding: Finding
    """Of the worse of the two hardened machines, or of the shipped one where there is no other."""
    before: Outcome | None
    after: Outcome | None
    baked: Outcome | None

    @property
    def outcome(self) -> Outcome | None:
        """What it came to on the hardened machines; None: not judged there."""
        return worst(one for one in (self.after, self.baked) if one is not None)

    @property
    def gained(self) -> bool:
        """Whether the hardening is what makes it hold."""
        return self.outcome is Outcome.PASS and self.before in (Outcome.FAIL, Outcome.WARN)

    @property
    def lost(self) -> bool:
        """Whether it held as shipped and does no longer."""
        return self.before is Outcome.PASS and self.outcome in (Outcome.FAIL, Outcome.ERROR, Outcome.WARN)

    @property
    def open(self) -> bool:
        """Whether somebody has to look at it."""
        return self.outcome in (Outcome.FAIL, Outcome.ERROR, Outcome.WARN)


@dataclass(frozen=True)
class Layer:
    """Controls of one layer, worst first."""

    name: str
    title: str
    controls: tuple[Control, ...]

    def count(self, outcome: Outcome | str) -> int:
        """Controls with this outcome on the hardened machines."""
        return sum(one.outcome == outcome for one in self.controls)

    @property
    def before(self) -> int:
        """Controls that held as shipped."""
        return sum(one.before is Outcome.PASS for one in self.controls)


@dataclass(frozen=True)
class Probe:
    """One probe on all three machines; None where it was not tried."""

    probe: ProbeResult
    before: ProbeResult | None
    after: ProbeResult | None
    baked: ProbeResult | None

    @property
    def tone(self) -> Tone:
        """How the probe ended on the hardened machines."""
        hardened = [one for one in (self.after, self.baked) if one]
        if not hardened or any(one.outcome is Outcome.ERROR for one in hardened):
            return "unsure"
        if any(one.outcome is Outcome.FAIL for one in hardened):
            return "bad"
        return "unsure" if any(one.outcome is Outcome.WARN for one in hardened) else "good"

    @property
    def story(self) -> str:
        """One sentence on what the three attempts show together."""
        if self.tone != "good":
            return next(
                (one.message for one in (self.after, self.baked) if one and one.outcome is not Outcome.PASS), ""
            )
        if self.probe.kind == "positive":
            return "works in every state"
        if self.before is None or self.before.succeeded is None:
            return "stopped now; it was not shown to work as shipped"
        if self.before.succeeded:
            return "worked as shipped, stopped now: the control bites"
        return "was stopped as shipped too, so this proves nothing about the hardening"


@dataclass(frozen=True)
class View:
    """Everything that is said about a run."""

    run: StoredRun
    record: RunRecord
    reasons: tuple[str, ...]
    """Those that decided, for or against."""
    notes: tuple[str, ...]
    figures: tuple[Figure, ...]
    controls: tuple[Control, ...]
    layers: tuple[Layer, ...]
    probes: tuple[Probe, ...]
    measures: tuple[Measure, ...]

    @property
    def tone(self) -> Tone:
        """Colour of the verdict."""
        return {Verdict.PASS: "good", Verdict.FAIL: "bad"}.get(self.record.verdict, "unsure")  # type: ignore[return-value]

    @property
    def broken(self) -> tuple[Control, ...]:
        """Controls that do not hold after the hardening, gravest first."""
        return tuple(one for one in self.controls if one.open)

    @property
    def gained(self) -> tuple[Control, ...]:
        """Controls that hold thanks to the hardening."""
        return tuple(one for one in self.controls if one.gained)

    @property
    def lost(self) -> tuple[Control, ...]:
        """Controls that the hardening broke."""
        return tuple(one for one in self.controls if one.lost)

    @property
    def attacks(self) -> tuple[Probe, ...]:
        """Probes that should be stopped."""
        return tuple(one for one in self.probes if one.probe.kind == "attack")

    @property
    def uses(self) -> tuple[Probe, ...]:
        """Probes that should work everywhere."""
        return tuple(one for one in self.probes if one.probe.kind == "positive")

    @property
    def failed_probes(self) -> tuple[Probe, ...]:
        """Probes that somebody has to look at."""
        return tuple(one for one in self.probes if one.tone != "good")


def view(run: StoredRun) -> View:
    """Put together what a run says."""
    record = run.record
    controls = tuple(_controls(run))
    probes = tuple(_probes(run))
    measures = run.comparison.measures if run.comparison else ()
    return View(
        run=run,
        record=record,
        reasons=tuple(one for one in record.why if not one.startswith(NOTE)),
        notes=tuple(one.removeprefix(NOTE) for one in record.why if one.startswith(NOTE)),
        figures=tuple(figures(run, controls, probes, measures)),
        controls=controls,
        layers=tuple(_layers(controls)),
        probes=probes,
        measures=measures,
    )


def worst(outcomes: Iterable[Outcome]) -> Outcome | None:
    """The worst of some outcomes; None of none."""
    return min(outcomes, key=WORST.index, default=None)


def _found(stage: Stage | None) -> dict[str, Finding]:
    return {one.control: one for one in stage.findings.findings} if stage and stage.findings else {}


def _controls(run: StoredRun) -> list[Control]:
    before, after, baked = _found(run.before), _found(run.after), _found(run.baked)
    made = []
    for name in before.keys() | after.keys() | baked.keys():
        hardened = [side[name] for side in (after, baked) if name in side] or [before[name]]
        made.append(
            Control(
                min(hardened, key=lambda one: WORST.index(one.outcome)),
                *(side[name].outcome if name in side else None for side in (before, after, baked)),
            )
        )
    return sorted(made, key=_gravity)


def _gravity(one: Control) -> tuple[int, int, str]:
    outcome = WORST.index(one.outcome) if one.outcome else len(WORST)
    # what could not be looked at and what does not hold are equally open: severity decides between them
    return (max(outcome, 1), SEVERITIES.index(one.finding.severity), one.finding.control)


def _layers(controls: Sequence[Control]) -> list[Layer]:
    names = sorted({one.finding.layer for one in controls})
    return [
        Layer(name, LAYERS.get(name, name), tuple(one for one in controls if one.finding.layer == name))
        for name in names
    ]


def _tried(stage: Stage | None, *, hardened: bool) -> dict[str, ProbeResult]:
    probes = stage.probes.probes if stage and stage.probes else ()
    return {one.id: one for one in judged(probes, hardened=hardened)}


def _probes(run: StoredRun) -> list[Probe]:
    before = _tried(run.before, hardened=False)
    after, baked = _tried(run.after, hardened=True), _tried(run.baked, hardened=True)
    names = list(dict.fromkeys([*after, *baked, *before]))
    made = [
        Probe((after.get(name) or baked.get(name) or before[name]), before.get(name), after.get(name), baked.get(name))
        for name in names
    ]
    order = {"bad": 0, "unsure": 1, "good": 2, "plain": 3}
    return sorted(made, key=lambda one: (order[one.tone], one.probe.identity, one.probe.id))
