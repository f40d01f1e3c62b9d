"""From what was measured to a verdict: three for each measure, one for the run. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from results.base.errors import ExitCode
from results.cost import effect
from results.cost.records import MeasureVerdict, PerfBudget, PerfMeasure, Rounds, Soak
from results.records import Verdict
from results.text import percent, plural

Clock = Literal["wall", "deterministic"]
LEAST_BOOTS = {"deterministic": 3, "wall": 5}
"""Boots a side below which no interval is told. Few will do where time follows instructions."""

NOISE = {"deterministic": 0.01, "wall": 0.05}
"""What two groups of like boots may differ, relative, where a budget names nothing else."""

TOO_NOISY = 0.25
"""Share of judged measures that may be void by their A/A control before none of the others is believed."""


@dataclass(frozen=True)
class Taken:
    """One measure as it was taken. A boot without values has an empty tuple; `problem` says why."""

    name: str
    title: str
    part: str
    unit: str
    better: Literal["lower", "higher"]
    baseline: tuple[Rounds, ...]
    hardened: tuple[Rounds, ...]
    problem: str = ""


def judge(taken: Taken, budget: PerfBudget | None, clock: Clock, seed: int) -> PerfMeasure:
    """Judge one measure. A limit holds for every round of the hardened machine, a budget for the change."""
    noise = budget.noise if budget and budget.noise else NOISE[clock]
    found = effect.paired(taken.baseline, taken.hardened, f"{seed}:{taken.name}", LEAST_BOOTS[clock])
    differing = effect.control(taken.baseline)
    verdict, why = _verdict(taken, budget, found, differing, noise, clock)
    return PerfMeasure(
        name=taken.name,
        title=taken.title,
        part=taken.part,
        unit=taken.unit,
        better=taken.better,
        baseline=taken.baseline,
        hardened=taken.hardened,
        median_baseline=_median(taken.baseline),
        median_hardened=_median(taken.hardened),
        change=found.change if found else None,
        interval=found.interval if found else None,
        control=differing,
        noise=noise,
        spread=effect.spread(taken.baseline),
        budget=budget.change if budget else None,
        limit=budget.limit if budget else None,
        verdict=verdict,
        why=why,
    )


def _median(boots: Sequence[Rounds]) -> float:
    values = effect.middle([rounds for rounds in boots if rounds])
    return statistics.median(values) if values else 0.0


def _verdict(
    taken: Taken,
    budget: PerfBudget | None,
    found: effect.PairedEffect | None,
    differing: float | None,
    noise: float,
    clock: Clock,
) -> tuple[MeasureVerdict, str]:
    if taken.problem or not all((*taken.baseline, *taken.hardened)) or not taken.baseline or not taken.hardened:
        return "void", taken.problem or "a boot gave no value"
    if budget is None:
        return "not judged", ""
    if budget.limit is not None and (beyond := _beyond(taken, budget.limit)):
        return "regressed", beyond
    if budget.change is None:
        return "within budget", ""
    if differing is not None and differing > noise:
        return "void", f"two groups of like boots differ by {percent(differing)}, at most {percent(noise)} is allowed"
    return _against(found, taken, budget.change, clock)


def _beyond(taken: Taken, limit: float) -> str:
    """Which round broke an absolute limit; empty when none did."""
    values = [value for rounds in taken.hardened for value in rounds]
    worst = max(values) if taken.better == "lower" else min(values)
    if worst <= limit if taken.better == "lower" else worst >= limit:
        return ""
    side = "above" if taken.better == "lower" else "below"
    return f"{worst:.6g} {taken.unit} is {side} the limit of {limit:.6g}"


def _against(
    found: effect.PairedEffect | None, taken: Taken, budget: float, clock: Clock
) -> tuple[MeasureVerdict, str]:
    if found is None:
        return "inconclusive", "values at or below zero have no ratio"
    if found.interval is None:
        boots = min(len(taken.baseline), len(taken.hardened))
        return "inconclusive", f"{boots} of at least {plural(LEAST_BOOTS[clock], 'boot')} a side"
    low, high = found.interval if taken.better == "lower" else (-found.interval[1], -found.interval[0])
    if high <= budget:
        return "within budget", ""
    if low > budget:
        return "regressed", f"at least {percent(low)} for the worse, budget {percent(budget)}"
    return (
        "inconclusive",
        f"{percent(low)} to {percent(high)} for the worse, budget {percent(budget)}: cannot tell",
    )


@dataclass(frozen=True)
class Judgement:
    """What a `perf` run came to."""

    verdict: Verdict
    why: tuple[str, ...]
    code: ExitCode


def conclude(measures: Sequence[PerfMeasure]) -> Judgement:
    """Fail on what regressed; pass only where everything with a budget is within it; else there is no verdict."""
    judged = [one for one in measures if one.verdict != "not judged"]
    noisy = [one for one in judged if one.control is not None and one.control > one.noise and one.budget is not None]
    if not judged:
        return Judgement(Verdict.NONE, ("nothing was measured that has a budget",), ExitCode.INFRASTRUCTURE)
    if len(noisy) > TOO_NOISY * len(judged):
        why = f"the host is too noisy: in {len(noisy)} of {plural(len(judged), 'measure')} like boots differ too much"
        return Judgement(Verdict.NONE, (why, *_lines(noisy)), ExitCode.INFRASTRUCTURE)
    bad = [one for one in judged if one.verdict == "regressed"]
    if bad:
        return Judgement(Verdict.FAIL, _lines(bad), ExitCode.FAIL)
    open_ = [one for one in judged if one.verdict != "within budget"]
    if open_:
        return Judgement(Verdict.NONE, _lines(open_), ExitCode.INFRASTRUCTURE)
    return Judgement(Verdict.PASS, (f"all {len(judged)} measures with a budget are within it",), ExitCode.PASS)


def with_soaks(judgement: Judgement, soaks: Sequence[Soak]) -> Judgement:
    """The same with what the hardened machine was seen to gain under a steady load."""
    units = [unit for one in soaks if one.side == "hardened" for unit in one.units]
    bad = [one for one in units if one.verdict == "regressed"]
    open_ = [one for one in units if one.verdict == "inconclusive"]
    why = tuple(f"the {one.unit} under a steady load: {one.verdict}: {one.why}" for one in (*bad, *open_))
    if bad:
        earlier = judgement.why if judgement.verdict is Verdict.FAIL else ()
        return Judgement(Verdict.FAIL, (*earlier, *why), ExitCode.FAIL)
    if open_ and judgement.verdict is Verdict.PASS:
        return Judgement(Verdict.NONE, why, ExitCode.INFRASTRUCTURE)
    return judgement


def _lines(measures: Sequence[PerfMeasure]) -> tuple[str, ...]:
    return tuple(f"{one.title} ({one.name}): {one.verdict}: {one.why}" for one in measures)
