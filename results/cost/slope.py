"""Does a service gain memory for as long as it works? Slope of a series, with how sure that is. Pure.

The slope is Theil's and Sen's: the median of the slopes of all pairs of looks, so that no single step moves it.
Looks that follow one another are not independent, so the interval is a bootstrap over blocks of what the line leaves
(a recorded seed; percentile, 95 %). The first part of the series is left out: caches fill then.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence

from results.cost.records import SoakUnit, SoakVerdict

WARM_UP = 0.3
"""Share of the series that is not looked at."""

LEAST = 12
"""Looks after that below which nothing is judged."""

RESAMPLES = 400
LEVEL = 0.95
BLOCKS = 6
"""Into how many blocks the looks are cut."""


def slope(at: Sequence[float], values: Sequence[float]) -> float:
    """Median of the slopes of all pairs; the times must differ."""
    return statistics.median(
        (values[late] - values[early]) / (at[late] - at[early]) for late in range(len(at)) for early in range(late)
    )


def interval(at: Sequence[float], values: Sequence[float], seed: str) -> tuple[float, float]:
    """95 % interval of the slope."""
    inclination = slope(at, values)
    left = [value - inclination * when for when, value in zip(at, values, strict=True)]
    length = math.ceil(len(left) / BLOCKS)
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose, nothing secret
    drawn = sorted(inclination + slope(at, _blocks(left, length, source)) for _ in range(RESAMPLES))
    edge = (1 - LEVEL) / 2
    return drawn[math.floor(edge * RESAMPLES)], drawn[math.ceil((1 - edge) * RESAMPLES) - 1]


def _blocks(left: Sequence[float], length: int, source: random.Random) -> list[float]:
    """Blocks of what the line leaves, drawn with replacement, as many as fill the series."""
    made: list[float] = []
    while len(made) < len(left):
        begin = source.randrange(len(left) - length + 1)
        made += left[begin : begin + length]
    return made[: len(left)]


def judge(
    unit: str,
    at: Sequence[float],
    held: Sequence[tuple[int, int, int]],
    allowed: float,
    seed: int,
) -> SoakUnit:
    """One service: `held` is own memory in bytes, descriptors and tasks at each look, `allowed` in bytes a minute."""
    first = next((place for place, when in enumerate(at) if when >= WARM_UP * at[-1]), 0) if at else 0
    memory, descriptors, tasks = ([one[kind] for one in held] for kind in range(3))
    minutes = [when / 60 for when in at[first:]]
    kept = [float(value) for value in memory[first:]]
    inclination, ends, verdict, why = None, None, "inconclusive", f"{len(kept)} looks of at least {LEAST}"
    if len(kept) >= LEAST:
        inclination, ends = slope(minutes, kept), interval(minutes, kept, f"{seed}:{unit}")
        verdict, why = _verdict(ends, allowed, descriptors[first:], tasks[first:])
    return SoakUnit(
        unit=unit,
        memory=tuple(memory),
        descriptors=tuple(descriptors),
        tasks=tuple(tasks),
        slope=inclination,
        interval=ends,
        allowed=allowed,
        verdict=verdict,
        why=why,
    )


def _verdict(
    ends: tuple[float, float], allowed: float, descriptors: Sequence[int], tasks: Sequence[int]
) -> tuple[SoakVerdict, str]:
    for name, counts in (("descriptors", descriptors), ("tasks", tasks)):
        third = len(counts) // 3
        least, most = min(counts[-third:]), max(counts[:third])
        if least > most:
            return "regressed", f"{name}: never fewer than {least} at last, at most {most} before"
    told = f"{ends[0] / 1024:+.1f} to {ends[1] / 1024:+.1f} KiB a minute, {allowed / 1024:.0f} are allowed"
    if ends[1] <= allowed:
        return "within budget", ""
    return ("regressed", told) if ends[0] > allowed else ("inconclusive", told)
