"""The measures of `perf`, as a table: how the raw values of one round become one value of each."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harden.product import Product
from validate.benchmarks.measures import Raw, ratio, single, size

VERSION = 3
"""Of the benchmarks under content/ that `perf` takes: raise it with every change that moves a number. Runs of different
versions are never compared."""


@dataclass(frozen=True)
class Cost:
    """One measure. `value` takes one round's raw values; None where they are missing."""

    name: str
    title: str
    heading: str
    unit: str
    value: Callable[[Raw], float | None]
    part: str
    """Part of the guest's round (content/costs.py) that takes it."""
    better: Literal["lower", "higher"] = "lower"


def median(key: str) -> Callable[[Raw], float | None]:
    """The middle one: a timer that fires within a few of the calls does not move it."""
    return lambda raw: statistics.median(raw[key]) if raw.get(key) else None


def midmean(key: str) -> Callable[[Raw], float | None]:
    """Mean of the middle half, for what has two modes, such as a hand-over to a thread that waits or does not.

    A median would jump between the modes, and a mean follow every timer.
    """

    def value(raw: Raw) -> float | None:
        ordered = sorted(raw.get(key, ()))
        cut = len(ordered) // 4
        return statistics.fmean(ordered[cut : len(ordered) - cut]) if ordered else None

    return value


def total(key: str) -> Callable[[Raw], float | None]:
    """All of them together."""
    return lambda raw: float(sum(raw[key])) if raw.get(key) else None


def share(key: str, limit: float) -> Callable[[Raw], float | None]:
    """In per cent of a limit."""
    return lambda raw: raw[key][0] / limit * 100 if raw.get(key) else None


BUS, EXEC, DATA, WEB, LIFE, LIMITS, SYSTEM = (
    "Bus",
    "Programs started",
    "Database",
    "Web filter",
    "Start and reload",
    "Held, of what is allowed",
    "System",
)

PRODUCT = (
    Cost("bus.ping", "Ping, by a parent", BUS, "µs", median("bus.ping"), "bus"),
    Cost("bus.parent", "ListProfiles, by a parent", BUS, "µs", median("bus.parent"), "bus"),
    Cost("bus.child", "CheckApplicationAllowed, by a child", BUS, "µs", median("bus.child"), "bus"),
    Cost("bus.monitor", "SendHeartbeat (a database write), by the monitor", BUS, "µs", median("bus.monitor"), "bus"),
    Cost("bus.growth", "Memory that the daemon gains a call", BUS, "B", single("bus.growth"), "bus"),
    Cost("exec.cost", "Start and end of a program", EXEC, "µs", median("exec.cost"), "execs"),
    Cost("exec.event", "The daemon's CPU for one exec event", EXEC, "µs", single("exec.event"), "execs"),
    Cost(
        "exec.captured",
        "Exec events recorded, of those made",
        EXEC,
        "ratio",
        ratio("exec.recorded", "exec.made"),
        "execs",
        "higher",
    ),
    Cost("exec.lost", "Exec events lost or dropped", EXEC, "events", total("exec.lost"), "execs"),
    Cost("db.commit", "CPU of a durable transaction", DATA, "µs", median("db.commit"), "database"),
    Cost("db.flushes", "Disk flushes of a durable transaction", DATA, "flushes", single("db.flushes"), "database"),
)

KERNEL = (
    ("process.fork", "fork, exit, wait"),
    ("call.getppid", "getppid"),
    ("call.read", "read of one byte"),
    ("call.stat", "stat"),
    ("file.open", "open and close"),
    ("file.watched", "open and close of a file that audit watches"),
    ("file.create", "create and remove a file"),
    ("pipe.turn", "Pipe round trip: two changes of process"),
    ("tcp.turn", "TCP round trip on loopback"),
    ("tcp.connect", "TCP connect, accept, close"),
)

TALKING = ("pipe.turn", "tcp.turn")
"""Taken over several pairs of processes, each with a speed of its own."""

KINDS = {"plain": "plain request", "connect": "request in a tunnel", "refused": "refused request"}


def costs(product: Product) -> tuple[Cost, ...]:
    """All measures, in the order in which a report shows them."""
    found = list(PRODUCT)
    for length in ("short", "long"):
        for kind, title in KINDS.items():
            key = f"filter.{kind}.{length}"
            found.append(Cost(key, f"{title.capitalize()}, {length} block list", WEB, "µs", midmean(key), "filter"))
    for doing, words in (("start", "Start of the"), ("reload", "Reload of the")):
        for unit in product.units:
            key = f"{doing}.{unit}"
            found.append(Cost(key, f"{words} {unit}", LIFE, "ms", single(key), "services"))
    for unit, described in product.units.items():
        for what, limit in (("memory", "MemoryMax"), ("tasks", "TasksMax"), ("descriptors", "LimitNOFILE")):
            if limit in described.limits:
                key, allowed = f"hold.{unit}.{what}", float(size(described.limits[limit]))
                title = f"{what.capitalize()} of the {unit}, of {limit}"
                found.append(Cost(key, title, LIMITS, "%", share(key, allowed), "holdings"))
    for key, title in KERNEL:
        value = midmean(key) if key in TALKING else median(key)
        found.append(Cost(key, title, SYSTEM, "µs", value, "kernel"))
    return tuple(found)
