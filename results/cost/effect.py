"""Effect of a treatment over few boots with some rounds each. Pure, and the same for the same seed.

The unit of repetition is the boot: rounds within one share its kernel's and its bus's layout in memory, and so say
nothing about the next one. A boot's value is the median of its rounds, the effect is the median over pairs of boots.
The interval comes from a bootstrap on both levels (pairs, and rounds within each boot). With three to five pairs such
an interval is too short, since resampling never goes beyond what was seen; so it is stretched about the effect by
t(n-1) / z * sqrt(n / (n-1)), which is what a t interval has over a plain percentile one.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from results.cost.records import Rounds

RESAMPLES = 1000
LEVEL = 0.95
Z = 1.959964
T = {2: 12.7062, 3: 4.3027, 4: 3.1824, 5: 2.7764, 6: 2.5706, 7: 2.4469, 8: 2.3646, 9: 2.3060, 10: 2.2622}
"""97.5 % quantile of Student's t by number of pairs (one degree of freedom less)."""

FLOOR = 1e-9


@dataclass(frozen=True)
class PairedEffect:
    """Relative change (+0.05 is 5 % more) and its interval; None where there are too few pairs."""

    change: float
    interval: tuple[float, float] | None


def stretch(pairs: int) -> float:
    """By how much the bootstrap's interval is too short with so few pairs."""
    return T.get(pairs, 2.0 if pairs > 10 else math.inf) / Z * math.sqrt(pairs / (pairs - 1))


def middle(boots: Sequence[Rounds]) -> list[float]:
    """The value of each boot."""
    return [statistics.median(rounds) for rounds in boots]


def log_ratio(left: float, right: float) -> float:
    """log(right/left). Raises `ValueError` for a value at or below zero."""
    return math.log(right) - math.log(left)


def paired(baseline: Sequence[Rounds], hardened: Sequence[Rounds], seed: str, least: int) -> PairedEffect | None:
    """Effect over pairs of boots, in the order taken; None where a value has no ratio, or no pair is whole.

    Fewer than `least` pairs have no interval.
    """
    pairs = [pair for pair in zip(baseline, hardened, strict=False) if pair[0] and pair[1]]
    if not pairs or any(value <= 0 for pair in pairs for rounds in pair for value in rounds):
        return None
    logs = [tuple([math.log(value) for value in rounds] for rounds in pair) for pair in pairs]
    center = quick_median([quick_median(right) - quick_median(left) for left, right in logs])
    if len(pairs) < max(least, 2):
        return PairedEffect(math.expm1(center), None)
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose, nothing secret
    drawn = sorted(_resampled(logs, source) for _ in range(RESAMPLES))
    edge = (1 - LEVEL) / 2
    low, high = drawn[math.floor(edge * RESAMPLES)], drawn[math.ceil((1 - edge) * RESAMPLES) - 1]
    factor = stretch(len(pairs))
    ends = (center + factor * (low - center), center + factor * (high - center))
    return PairedEffect(math.expm1(center), (math.expm1(ends[0]), math.expm1(ends[1])))


def _resampled(pairs: Sequence[Sequence[list[float]]], source: random.Random) -> float:
    """The effect in one resample of logarithms: boots drawn with replacement, and rounds within each of them."""
    draw = source.random
    ratios = []
    for _ in pairs:
        left, right = pairs[int(draw() * len(pairs))]
        one = quick_median([left[int(draw() * len(left))] for _ in left])
        ratios.append(quick_median([right[int(draw() * len(right))] for _ in right]) - one)
    return quick_median(ratios)


def quick_median(values: list[float]) -> float:
    """Like `statistics.median`, which takes ten times as long for three values."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def groups(count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two groups of like boots in the order ABBA, so that a drift falls on both."""
    first = tuple(at for at in range(count) if at % 4 in (0, 3))
    return first, tuple(at for at in range(count) if at not in first)


def control(boots: Sequence[Rounds]) -> float | None:
    """A/A: by how much two groups of boots of one image differ, relative; None with fewer than two boots."""
    left, right = groups(len(boots))
    if not left or not right or not all(boots):
        return None
    one, other = (statistics.median(middle([boots[at] for at in group])) for group in (left, right))
    if one == other:
        return 0.0
    if min(one, other) <= 0:
        return None
    return math.expm1(abs(log_ratio(one, other)))


def spread(boots: Sequence[Rounds]) -> float | None:
    """Range of the boots' values by their median; None where that makes no sense."""
    values = middle([rounds for rounds in boots if rounds])
    if not values or statistics.median(values) <= 0:
        return None
    return (max(values) - min(values)) / statistics.median(values)
