"""What is heard of a running machine, from every side, as one kind of value in one queue."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from validate.machine.console import FATAL, Line, Said

Kind = Literal["console", "reset", "shutdown", "exit", "session", "refused"]


@dataclass(frozen=True)
class Signal:
    """One thing heard. `at` is monotonic time, seconds."""

    kind: Kind
    text: str = ""
    said: Said | None = None
    payload: Any = None
    """The session, for `session`; the error, for `refused`."""
    at: float = field(default_factory=time.monotonic)

    @property
    def fatal(self) -> str:
        """Why the machine cannot be used any more; empty when it can."""
        if self.kind == "console" and self.said in FATAL:
            return f"the guest is in trouble: {self.said}"
        if self.kind in ("shutdown", "exit"):
            return self.text
        return ""


def from_console(line: Line) -> Signal:
    """A line that told something."""
    return Signal("console", line.text, said=line.said, at=line.at)


def from_qmp(name: str, data: Mapping[str, Any]) -> Signal | None:
    """An event of QEMU's, if it matters."""
    if name == "RESET" and data.get("reason") != "snapshot-load":
        return Signal("reset", str(data.get("reason", "")))
    if name == "GUEST_PANICKED":
        return Signal("console", "QEMU says that the guest panicked", said=Said.PANIC)
    if name == "SHUTDOWN" and data.get("guest"):
        return Signal("shutdown", "the guest powered itself off")
    return None
