"""What one measure came to: effect, interval, and one of three verdicts against a declared budget.

The effect is the median of the paired log ratios after/before; its 95 % interval is a percentile bootstrap
whose seed is recorded, so that anyone gets the same interval again. In this first version a repetition is
one of several within one boot; the deeper scheme (a repetition is a boot, ABBA) changes who fills `values`,
not what is computed here.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from results.records import Budget, Conditions, Measure, Sample
from results.text import percent

MINIMUM_REPETITIONS = 5
"""With fewer pairs, a bootstrap of the median only echoes the extremes: no interval, no verdict."""

RESAMPLES = 2000
LEVEL = 0.95

WIDEST = 700.0
"""Greatest log ratio: e**700 is the last that still fits a float, and no honest measure comes near."""


@dataclass(frozen=True)
class Effect:
    """Relative change (+0.05 is 5 % more) and its interval; None where there are too few pairs."""

    change: float
    interval: tuple[float, float] | None


def median(values: Sequence[float]) -> float:
    """Middle value; 0.0 for none at all, which whoever shows it must tell apart by `values`."""
    return statistics.median(values) if values else 0.0


def paired_log_ratios(before: Sequence[float], after: Sequence[float]) -> list[float]:
    """log(after/before) of each pair, in the order taken; what has no partner is left out.

    Raises `ValueError` for a value that is not above zero, since it has no ratio.
    """
    differences = (math.log(right) - math.log(left) for left, right in zip(before, after, strict=False))
    return [min(max(one, -WIDEST), WIDEST) for one in differences]


def bootstrap_interval(ratios: Sequence[float], seed: str) -> tuple[float, float]:
    """Percentile bootstrap interval of the median of log ratios, as relative changes."""
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose, nothing secret
    size = len(ratios)
    medians = sorted(statistics.median(source.choices(ratios, k=size)) for _ in range(RESAMPLES))
    edge = (1 - LEVEL) / 2
    low, high = medians[math.floor(edge * RESAMPLES)], medians[math.ceil((1 - edge) * RESAMPLES) - 1]
    return math.expm1(low), math.expm1(high)


def effect(before: Sequence[float], after: Sequence[float], seed: str) -> Effect | None:
    """Effect of the change; None where ratios make no sense (no pairs, or values at or below zero)."""
    if not before or not after:
        return None
    if list(before) == list(after):
        enough = len(before) >= MINIMUM_REPETITIONS
        return Effect(0.0, (0.0, 0.0) if enough else None)
    if min(*before, *after) <= 0:
        return None
    ratios = paired_log_ratios(before, after)
    change = math.expm1(statistics.median(ratios))
    return Effect(change, bootstrap_interval(ratios, seed) if len(ratios) >= MINIMUM_REPETITIONS else None)


def incomparable(before: Sample, after: Sample) -> str:
    """Why two samples may not be compared; empty when they may."""
    if before.unit != after.unit or before.better != after.better:
        return f"not the same measure: {before.unit} ({before.better}) and {after.unit} ({after.better})"
    found = differing(before.conditions, after.conditions)
    return f"taken under different conditions: {', '.join(found)}" if found else ""


def differing(before: Conditions, after: Conditions) -> list[str]:
    """Each condition that is not the same, with both values."""
    return [
        f"{name} ({getattr(before, name) or 'unknown'} and {getattr(after, name) or 'unknown'})"
        for name in Conditions.model_fields
        if getattr(before, name) != getattr(after, name)
    ]


def _number(value: float) -> str:
    return f"{value:.4g}"


def _against_limit(sample: Sample, limit: float) -> str:
    """What is wrong with the value after, against an absolute limit; empty when nothing is."""
    reached = median(sample.values)
    beyond = reached > limit if sample.better == "lower" else reached < limit
    side = "above" if sample.better == "lower" else "below"
    return f"{_number(reached)} {sample.unit} is {side} the limit of {_number(limit)}" if beyond else ""


def _against_budget(found: Effect | None, pairs: int, better: str, budget: float) -> tuple[str, str]:
    """Verdict and why of a relative budget."""
    if found is None:
        return "inconclusive", "values at or below zero have no ratio"
    if found.interval is None:
        return "inconclusive", f"{pairs} of at least {MINIMUM_REPETITIONS} repetitions"
    low, high = found.interval if better == "lower" else (-found.interval[1], -found.interval[0])
    if high <= budget:
        return "within budget", ""
    if low > budget:
        return "regressed", f"at least {percent(low)} for the worse, budget {percent(budget)}"
    return "inconclusive", f"too noisy to tell: {percent(low)} to {percent(high)} for the worse"


def judge(before: Sample, after: Sample, budget: Budget | None, seed: int) -> Measure:
    """Judge one measure, taken before and after, against its budget. Pure, and the same for the same seed."""
    found = effect(before.values, after.values, f"{seed}:{after.name}")
    pairs = min(len(before.values), len(after.values))
    verdict, why = "not judged", ""
    if problem := incomparable(before, after):
        verdict, why, found = "void", problem, None
    elif not after.values or not before.values:
        verdict, why = "void", f"no value {'before' if not before.values else 'after'}"
    elif budget is not None:
        if budget.change is not None:
            verdict, why = _against_budget(found, pairs, after.better, budget.change)
        elif budget.limit is not None:
            verdict = "within budget"
        if budget.limit is not None and (beyond := _against_limit(after, budget.limit)):
            verdict, why = "regressed", beyond
    left, right = median(before.values), median(after.values)
    return Measure.model_validate(
        {
            **after.model_dump(include={"name", "title", "unit", "better"}),
            "before": before.values,
            "after": after.values,
            "median_before": left,
            "median_after": right,
            "change": found.change if found else 0.0,
            "interval": found.interval if found else None,
            "budget": budget.change if budget else None,
            "limit": budget.limit if budget else None,
            "verdict": verdict,
            "why": why,
        }
    )
