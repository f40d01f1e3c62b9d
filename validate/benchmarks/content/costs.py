"""One round of everything that the hardening may make dearer, part by part. Runs in the machine.

A round is a process of its own, and starts with a restart of every service: so each has other addresses in memory
than the last one, and the median over rounds does not hang on one layout.
"""

from __future__ import annotations

from typing import Any

from validate.benchmarks.content import bus_calls, database, exec_storm, filter_requests, kernel_paths, service_starts
from validate.benchmarks.content.clock import Clock, trouble
from validate.guest.probing import World

Raw = dict[str, list[float]]
PARTS = {
    "services": service_starts.measure,
    "bus": bus_calls.measure,
    "execs": exec_storm.measure,
    "database": database.measure,
    "filter": filter_requests.measure,
    "kernel": kernel_paths.measure,
    "holdings": service_starts.holdings,
}


def take(world: World, parts: list[str], source: str) -> dict[str, Any]:
    """Raw values of the named parts, and by part why it gave none. A clock that jumps spoils the part."""
    raw: Raw = {}
    problems: dict[str, str] = {}
    for name in parts:
        before = Clock.now()
        try:
            found = PARTS[name](world)
        except Exception as error:  # noqa: BLE001 - the other parts are still worth having
            problems[name] = f"{type(error).__name__}: {error}"[:500]
            continue
        jumped = trouble(before, Clock.now(), source)
        if jumped:
            problems[name] = jumped
        else:
            raw.update(found)
    return {"raw": raw, "problems": problems}
