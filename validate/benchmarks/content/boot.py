"""Boot time and its slowest units, from systemd's own clock. Runs in the machine."""

from __future__ import annotations

from typing import Any

from validate.guest import system
from validate.guest.probing import World

MANAGER = ("Firmware", "Loader", "InitRD", "Userspace", "Finish")
SLOWEST = 60
SHORTEST = 0.02
"""Units that took less, in seconds, tell nothing."""

Raw = dict[str, list[float]]


def measure(world: World) -> tuple[Raw, list[dict[str, Any]]]:
    """Phases in seconds, and the timeline. Raises `TimeoutError` when systemd does not call its boot finished."""
    stamps = system.until(finished, seconds=world.patience(60), every=0.5)
    if not stamps:
        raise TimeoutError("systemd has not finished its boot: a job is still waiting")
    return phases(stamps), timeline(system.show(["*"], UNIT), stamps["Finish"])


def finished() -> dict[str, float] | None:
    """The manager's timestamps in seconds since the kernel's start (firmware and loader: before it)."""
    _, said = system.command("systemctl", "show", "-p", ",".join(f"{one}TimestampMonotonic" for one in MANAGER))
    found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    stamps = {one: int(found.get(f"{one}TimestampMonotonic") or 0) / 1e6 for one in MANAGER}
    return stamps if stamps["Finish"] else None


def phases(stamps: dict[str, float]) -> Raw:
    """What each phase took; those that systemd does not know are missing.

    An initrd without systemd in it counts to the kernel; firmware and loader tell their times only where the
    loader has a clock that it trusts.
    """
    initrd = stamps["InitRD"] or stamps["Userspace"]
    parts = {
        "boot.firmware": max(0.0, stamps["Firmware"] - stamps["Loader"]),
        "boot.loader": stamps["Loader"],
        "boot.kernel": initrd,
        "boot.initrd": stamps["Userspace"] - initrd,
        "boot.userspace": stamps["Finish"] - stamps["Userspace"],
        "boot.total": stamps["Firmware"] + stamps["Finish"],
    }
    return {name: [round(value, 6)] for name, value in parts.items() if value > 0}


UNIT = ("Id", "InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic", "InactiveEnterTimestampMonotonic")


def timeline(units: list[dict[str, str]], finish: float) -> list[dict[str, Any]]:
    """Units that started before `finish`, slowest first: name, start and seconds, as `systemd-analyze blame` counts."""
    rows = []
    for unit in units:
        start, active, over = (int(unit.get(key) or 0) / 1e6 for key in UNIT[1:])
        # A oneshot that does not remain is never "active": it ends by becoming inactive again.
        end = active if active >= start else over
        if start and start <= finish and end - start >= SHORTEST:
            rows.append({"name": unit.get("Id", ""), "start": round(start, 3), "seconds": round(end - start, 3)})
    return sorted(rows, key=lambda row: -float(str(row["seconds"])))[:SLOWEST]
