"""From judged evidence to the run's verdict and its reasons: pure, and never in favour of what did not run.

A reason that starts with `note: ` does not decide anything; it is what a reader should know besides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from results.compare import ABSENT
from results.records import Comparison, Finding, Outcome, ProbeResult, Verdict, Waivers
from results.text import one_line, plural
from results.waiving import expired, waived

NOTE = "note: "
GRAVE = ("critical", "high")
BROKEN = (Outcome.FAIL, Outcome.ERROR)


@dataclass(frozen=True)
class Evidence:
    """What was found on one machine; `name` is how the reasons call it."""

    name: str
    findings: Sequence[Finding] = ()
    probes: Sequence[ProbeResult] = ()


@dataclass(frozen=True)
class Required:
    """What has to have run, by name; what is missing is never a pass."""

    controls: frozenset[str] = frozenset()
    probes: frozenset[str] = frozenset()
    measures: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Case:
    """Everything that a verdict is made of. `baked` and `comparison` are None where they did not come about."""

    before: Evidence
    after: Evidence
    baked: Evidence | None
    comparison: Comparison | None
    required: Required = field(default_factory=Required)
    waivers: Waivers | None = None


class Judgement(NamedTuple):
    """The verdict, and every reason: those that decide first, then the notes."""

    verdict: Verdict
    reasons: tuple[str, ...]


def verdict(case: Case) -> Judgement:
    """Judge a run that came to its end; one that did not has no verdict, and does not ask here."""
    hardened = [
        replace(one, findings=waived(one.findings, case.waivers))
        for one in (case.after, *((case.baked,) if case.baked else ()))
    ]
    against = [
        *_missing(case),
        *_expired(case.waivers),
        *_controls(hardened),
        *_uses([case.before]),
        *_uses(hardened),
        *_attacks(hardened),
    ]
    notes = [*_notes(hardened)]
    if case.comparison:
        against += [*_drift(case.comparison), *_regressed(case.comparison)]
        notes += _comparison_notes(case.comparison)
    found = Verdict.FAIL if against else Verdict.PASS
    reasons = against or _in_favour(case)
    return Judgement(found, (*reasons, *(NOTE + one for one in notes)))


def _on(machines: Mapping[str, None]) -> str:
    """`on the deployed and baked machines`: one finding on several machines is one reason."""
    return f"on the {' and '.join(machines)} machine{'s' if len(machines) > 1 else ''}"


def _merged(told: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Reasons of (start, machine, end), those that differ in the machine alone put together."""
    where: dict[tuple[str, str], dict[str, None]] = {}
    for start, machine, end in told:
        where.setdefault((start, end), {})[machine] = None
    for (start, end), machines in where.items():
        yield f"{start} {_on(machines)}" + (f": {end}" if end else "")


def _missing(case: Case) -> Iterator[str]:
    """Required checks that did not run, machine by machine."""
    if case.baked is None:
        yield "the hardened image was not examined"
    if case.comparison is None:
        yield "nothing was compared"
    else:
        measured = {one.name for one in case.comparison.measures}
        yield from _absent("measure", case.required.measures - measured, "")
    for machine in (case.after, *((case.baked,) if case.baked else ())):
        if not machine.findings:
            yield f"no control was judged on the {machine.name} machine"
        where = f" on the {machine.name} machine"
        tried = {one.id for one in machine.probes if not _skipped(one)}
        yield from _absent("control", case.required.controls - {one.control for one in machine.findings}, where)
        yield from _absent("probe", case.required.probes - tried, where)


def _absent(kind: str, names: Iterable[str], where: str) -> Iterator[str]:
    for name in sorted(names):
        yield f"{kind} {name} did not run{where}"


def _controls(machines: Sequence[Evidence]) -> Iterator[str]:
    yield from _merged(
        (
            f"{one.control} ({one.severity}) "
            + ("could not be looked at" if one.outcome is Outcome.ERROR else "does not hold"),
            machine.name,
            one_line(one.message),
        )
        for machine in machines
        for one in machine.findings
        if one.outcome in BROKEN and one.severity in GRAVE and not one.waiver
    )


def _expired(waivers: Waivers | None) -> Iterator[str]:
    for one in expired(waivers):
        yield f"the waiver of {one.control} has expired: {one_line(one.owner)}, until {one.until} ({one.source})"


def _uses(machines: Sequence[Evidence]) -> Iterator[str]:
    """Positive controls that do not work: the product is broken, whatever else holds."""
    yield from _merged(
        (
            f"the product {'could not be tried' if one.succeeded is None else 'does not work'}",
            machine.name,
            one_line(f"{one.title}: {one.message}" if one.message else one.title),
        )
        for machine in machines
        for one in machine.probes
        if one.kind == "positive" and one.succeeded is not True and not _skipped(one)
    )


def _skipped(one: ProbeResult) -> bool:
    """Whether there was nothing to try here; a judged attack on an unhardened machine is no such case."""
    return one.outcome is Outcome.NOT_APPLICABLE and one.succeeded is None


def _attacks(machines: Sequence[Evidence], outcomes: Sequence[Outcome] = BROKEN) -> Iterator[str]:
    yield from _merged(
        (f"attack: {one_line(one.title)}", machine.name, one_line(one.message))
        for machine in machines
        for one in judged(machine.probes, hardened=True)
        if one.kind == "attack" and one.outcome in outcomes
    )


def _drift(comparison: Comparison) -> Iterator[str]:
    for one in comparison.drift:
        if not one.explanation:
            lacking = "baked" if one.left == ABSENT else "deployed" if one.right == ABSENT else ""
            told = f"the {lacking} machine lacks it" if lacking else "baked and deployed are not the same"
            yield f"unexplained difference at {one_line(one.path)}: {told}"
    for one in comparison.rebooted or ():
        if not one.explanation:
            yield f"not the same after one more reboot: {one_line(one.path)}"


def _regressed(comparison: Comparison) -> Iterator[str]:
    for one in comparison.measures:
        judgeable = one.budget is not None or one.limit is not None
        if one.verdict == "regressed":
            yield f"{one.title} costs too much: {one.why}"
        elif one.verdict == "void" and judgeable:
            yield f"{one.title} has a budget and no valid measurement: {one.why}"


def _comparison_notes(comparison: Comparison) -> Iterator[str]:
    unclear = [one.title for one in comparison.measures if one.verdict == "inconclusive"]
    if unclear:
        yield (
            f"{plural(len(unclear), 'measure')} inconclusive, which does not fail a run in this version: "
            + ", ".join(unclear)
        )
    explained = sum(bool(one.explanation) for one in comparison.drift)
    if explained:
        yield f"{plural(explained, 'difference')} between baked and deployed, each with a written reason"
    yield from comparison.notes


def _notes(machines: Sequence[Evidence]) -> Iterator[str]:
    broken = [one for machine in machines for one in machine.findings if one.outcome in BROKEN]
    light = sorted({one.control for one in broken if one.severity not in GRAVE})
    if light:
        do = "medium or low control does" if len(light) == 1 else "medium or low controls do"
        yield f"{len(light)} {do} not hold: {', '.join(light)}"
    yield from dict.fromkeys(
        f"{one.control} is waived ({one.outcome}): {one_line(one.waiver)}"
        for machine in machines
        for one in machine.findings
        if one.waiver
    )
    yield from _attacks(machines, (Outcome.WARN,))


def _in_favour(case: Case) -> list[str]:
    """What did hold, in figures: a pass has reasons too."""
    held = Counter(one.outcome for one in case.after.findings)
    former = Counter(one.outcome for one in case.before.findings)
    applicable = len(case.after.findings) - held[Outcome.NOT_APPLICABLE]
    attacks = [one for one in case.after.probes if one.kind == "attack" and not _skipped(one)]
    stopped = [one for one in attacks if one.succeeded is False]
    worked = {one.id for one in case.before.probes if one.kind == "attack" and one.succeeded}
    uses = sum(one.kind == "positive" and not _skipped(one) for one in case.after.probes)
    measures = case.comparison.measures if case.comparison else ()
    inside = sum(one.verdict == "within budget" for one in measures)
    bites = sum(one.id in worked for one in stopped)
    return [
        f"{held[Outcome.PASS]} of {plural(applicable, 'control')} hold; {former[Outcome.PASS]} did as shipped",
        f"{len(stopped)} of {plural(len(attacks), 'attack')} stopped; {bites} of them worked as shipped",
        f"{plural(uses, 'legitimate use')} of the product tried, and all work in every state",
        "the baked image and the deployed machine end in the same state, but for what has a written reason",
        f"{plural(inside, 'measure')} within budget, none shown to be beyond it",
    ]


def judged(probes: Sequence[ProbeResult], *, hardened: bool) -> tuple[ProbeResult, ...]:
    """Fill in outcome and message of each probe from what it observed.

    A stopped attack counts only where its positive control worked. On a machine without the hardening an
    attack proves nothing either way, and is `not-applicable` with words that say what happened.
    """
    worked = {one.id: one.succeeded for one in probes if one.kind == "positive"}
    return tuple(one if _skipped(one) else _judged(one, worked, hardened=hardened) for one in probes)


def _judged(one: ProbeResult, worked: Mapping[str, bool | None], *, hardened: bool) -> ProbeResult:
    outcome, told = _use(one) if one.kind == "positive" else _attack(one, worked, hardened=hardened)
    return one.model_copy(update={"outcome": outcome, "message": told or one.message})


def _use(one: ProbeResult) -> tuple[Outcome, str]:
    if one.succeeded is None:
        return Outcome.ERROR, one.message or "the attempt itself broke"
    return (Outcome.PASS, "works") if one.succeeded else (Outcome.FAIL, one.message or "does not work")


def _attack(one: ProbeResult, worked: Mapping[str, bool | None], *, hardened: bool) -> tuple[Outcome, str]:
    if one.succeeded is None:
        return Outcome.ERROR, one.message or "the attempt itself broke"
    if not hardened:
        return (
            Outcome.NOT_APPLICABLE,
            "works without the hardening" if one.succeeded else "stopped without the hardening",
        )
    if one.succeeded:
        return (
            (Outcome.FAIL, "works in spite of the hardening")
            if one.controls
            else (Outcome.WARN, "works: no control is meant to stop it")
        )
    if one.positive_control and worked.get(one.positive_control) is not True:
        return Outcome.ERROR, f"stopped, but so is the legitimate use ({one.positive_control}), so it proves nothing"
    return Outcome.PASS, "stopped"
