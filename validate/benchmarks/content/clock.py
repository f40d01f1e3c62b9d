"""Time as the machine counts it, and whether it may be trusted. Standard library only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

SOURCE = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
STEP = 0.005
"""Seconds by which the wall clock may leave the monotonic one while a part is measured; more is a jump."""


class Clock(NamedTuple):
    """Readings of one moment: where the kernel takes its time from, and two clocks that have to go side by side."""

    source: str
    monotonic: float
    wall: float

    @classmethod
    def now(cls) -> Clock:
        """Read all of them."""
        with open(SOURCE, encoding="ascii") as file:  # noqa: PTH123
            source = file.read().strip()
        return cls(source, time.monotonic(), time.time())


def trouble(before: Clock, after: Clock, wanted: str) -> str:
    """What is wrong with the clock between two readings; empty when nothing is. `wanted`: empty for any source."""
    if before.source != after.source:
        return f"the guest's clock source changed from {before.source} to {after.source}"
    if wanted and after.source != wanted:
        return f"the guest's clock source is {after.source}, not {wanted}"
    gone = after.monotonic - before.monotonic
    if gone < 0:
        return f"the guest's clock went back by {-gone:.3f} s"
    drift = (after.wall - before.wall) - gone
    if abs(drift) > STEP + gone * 1e-3:
        return f"the guest's wall clock jumped by {drift:+.3f} s"
    return ""


def each(times: int, function: Callable[..., Any], *arguments: Any, warm_up: int = 2) -> list[float]:
    """Microseconds of each of `times` calls, after some that are not counted."""
    for _ in range(warm_up):
        function(*arguments)
    taken = []
    for _ in range(times):
        start = time.perf_counter_ns()
        function(*arguments)
        taken.append((time.perf_counter_ns() - start) / 1e3)
    return taken


def batches(count: int, times: int, function: Callable[..., Any], *arguments: Any) -> list[float]:
    """Microseconds of one call, as the mean over a batch of `times`, for each of `count` batches.

    For calls so short that reading the clock would cost as much as they do.
    """
    for _ in range(times // 4):
        function(*arguments)
    taken = []
    for _ in range(count):
        start = time.perf_counter_ns()
        for _ in range(times):
            function(*arguments)
        taken.append((time.perf_counter_ns() - start) / 1e3 / times)
    return taken
