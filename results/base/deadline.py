"""A deadline is an object: it is made once, handed down, and asked what is left."""

from __future__ import annotations

import time
from dataclasses import dataclass

from results.base.errors import InfrastructureError


@dataclass(frozen=True)
class Deadline:
    """A named point in monotonic time, in seconds."""

    name: str
    seconds: float
    ends: float

    @classmethod
    def after(cls, seconds: float, name: str) -> Deadline:
        """Make the deadline `seconds` from now; `name` says what is being waited for."""
        return cls(name, seconds, time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.ends - time.monotonic())

    def passed(self) -> bool:
        """Whether the time is up."""
        return self.left() <= 0

    def error(self, hint: str = "", *, evidence: str = "") -> InfrastructureError:
        """Build the error that says what did not happen in time."""
        return InfrastructureError(f"{self.name}: not within {self.seconds:.0f} s", hint, evidence=evidence)
