"""Waits until a machine that has just booted has nothing left to do. Standard library only."""

from __future__ import annotations

import time
from typing import Any

from validate.guest import system

LOOK = 2.0
"""Seconds of the guest's time between two looks."""

QUIET = 0.06
"""Share of busy time that counts as quiet; our own looking is part of it."""

ROW = 3

SHORT = (0.5, 2)
"""Seconds and looks where only what was just asked has to die away, such as the writing of audit events."""


def busy() -> tuple[float, float]:
    """Busy and idle seconds of all CPUs since boot (idle has waiting for disks in it)."""
    ticks = [float(one) for one in system.read("/proc/stat").split("\n", 1)[0].split()[1:9]]
    idle = (ticks[3] + ticks[4]) / 100
    return sum(ticks) / 100 - idle, idle


def settle(seconds: float, look: float | None = None, row: int = ROW) -> dict[str, Any]:
    """Look until `row` looks in a row were quiet: `quiet`, `waited` in seconds, and each look's share of busy time."""
    look = LOOK if look is None else look
    started, shares = time.monotonic(), []
    before = busy()
    while time.monotonic() - started < seconds:
        time.sleep(look)
        now = busy()
        spent = now[0] - before[0]
        shares.append(round(spent / max(0.01, spent + now[1] - before[1]), 4))
        before = now
        if len(shares) >= row and max(shares[-row:]) <= QUIET:
            return {"quiet": True, "waited": round(time.monotonic() - started, 3), "shares": shares[-100:]}
    return {"quiet": False, "waited": round(time.monotonic() - started, 3), "shares": shares[-100:]}
