"""The key figures at the head of the report: what a release manager asks first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from results.records import Measure, Outcome
from results.store import StoredRun
from results.text import plural

if TYPE_CHECKING:
    from results.report.view import Control, Probe


@dataclass(frozen=True)
class Figure:
    """One tile: a label, a figure in large type, and what it has to be seen against."""

    label: str
    value: str
    detail: str
    tone: Literal["good", "bad", "unsure", "plain"]
    anchor: str


def figures(
    run: StoredRun, controls: Sequence[Control], probes: Sequence[Probe], measures: Sequence[Measure]
) -> Iterator[Figure]:
    """Every tile, always the same ones, so that two reports can be laid side by side."""
    yield _controls(controls)
    yield _proven(run)
    yield _attacks([one for one in probes if one.probe.kind == "attack"])
    yield _uses([one for one in probes if one.probe.kind == "positive"])
    yield _cost(measures)
    yield _drift(run)


def _controls(controls: Sequence[Control]) -> Figure:
    judged = [one for one in controls if one.outcome not in (None, Outcome.NOT_APPLICABLE)]
    held = sum(one.outcome is Outcome.PASS for one in judged)
    before = sum(one.before is Outcome.PASS for one in controls)
    grave = any(
        one.outcome in (Outcome.FAIL, Outcome.ERROR) and one.finding.severity in ("critical", "high") for one in judged
    )
    if not judged:
        return Figure("Controls", "–", "none was judged", "unsure", "controls")
    tone: Literal["good", "bad", "unsure"] = "bad" if grave else "good" if held == len(judged) else "unsure"
    return Figure("Controls that hold", f"{held} of {len(judged)}", f"{before} as shipped", tone, "controls")


def _proven(run: StoredRun) -> Figure:
    found = run.falsification
    if found is None:
        return Figure("Checks seen to fail", "–", "not falsified", "unsure", "falsification")
    tone: Literal["good", "bad"] = "bad" if found.unproven else "good"
    state = found.by_evidence["state"]
    value = f"{found.proven} of {len(found.controls)}"
    return Figure("Checks seen to fail", value, f"{state} of them by what is in force", tone, "falsification")


def _attacks(attacks: Sequence[Probe]) -> Figure:
    tried = [one for one in attacks if one.after or one.baked]
    if not tried:
        return Figure("Attacks stopped", "–", "none was tried", "unsure", "probes")
    stopped = sum(one.tone == "good" for one in tried)
    bites = sum(one.tone == "good" and bool(one.before and one.before.succeeded) for one in tried)
    tone: Literal["good", "bad", "unsure"] = "good" if stopped == len(tried) else "unsure"
    if any(one.tone == "bad" for one in tried):
        tone = "bad"
    return Figure("Attacks stopped", f"{stopped} of {len(tried)}", f"{bites} of them worked as shipped", tone, "probes")


def _uses(uses: Sequence[Probe]) -> Figure:
    tried = [one for one in uses if one.after or one.baked]
    if not tried:
        return Figure("Product works", "–", "no use was tried", "unsure", "probes")
    works = sum(one.tone == "good" for one in tried)
    before = sum(bool(one.before and one.before.succeeded) for one in tried)
    tone: Literal["good", "bad"] = "good" if works == len(tried) else "bad"
    return Figure("Product uses that work", f"{works} of {len(tried)}", f"{before} as shipped", tone, "probes")


def _cost(measures: Sequence[Measure]) -> Figure:
    judged = [one for one in measures if one.budget is not None or one.limit is not None]
    if not judged:
        return Figure("Within budget", "–", "no measure was judged", "unsure", "cost")
    inside = sum(one.verdict == "within budget" for one in judged)
    regressed = sum(one.verdict == "regressed" for one in judged)
    unclear = len(judged) - inside - regressed
    tone: Literal["good", "bad", "unsure"] = "bad" if regressed else "unsure" if unclear else "good"
    return Figure(
        "Costs within budget", f"{inside} of {len(judged)}", f"{regressed} beyond, {unclear} unclear", tone, "cost"
    )


def _drift(run: StoredRun) -> Figure:
    if run.comparison is None or run.baked is None:
        return Figure("Baked = deployed", "–", "not compared", "unsure", "drift")
    unexplained = sum(not one.explanation for one in run.comparison.drift)
    explained = len(run.comparison.drift) - unexplained
    return Figure(
        "Unexplained drift",
        str(unexplained),
        plural(explained, "difference") + " explained",
        "bad" if unexplained else "good",
        "drift",
    )
