"""One figure of `bench`, and how a time is taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """One number, and what it should be at most."""

    name: str
    value: float
    limit: float | None
    unit: str = "s"

    @property
    def late(self) -> bool:
        """Whether it is more than it should be."""
        return self.limit is not None and self.value > self.limit

    @property
    def line(self) -> str:
        """As it is printed."""
        wanted = "" if self.limit is None else f"   at most {self.limit:g} {self.unit}"
        late = "  TOO MUCH" if self.late else ""
        return f"{self.name:52} {self.value:9.3f} {self.unit}{wanted}{late}"


def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Wall-clock seconds of `work`, and what it gave."""
    started = time.monotonic()
    result = work()
    return time.monotonic() - started, result
