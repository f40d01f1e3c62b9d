"""What is measured, as a table: each measure's name, unit and how one repetition's raw values become its value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harden.product import Product

Raw = Mapping[str, Sequence[float]]

PARTS = {"boot": "boot", "dbus": "bus", "exec": "execs", "filter": "web", "service": "services"}
"""First word of a measure's name to the part of the guest's script (content/rounds.py) that takes it."""


@dataclass(frozen=True)
class Definition:
    """One measure. `value` takes one repetition's raw values; None where they are missing."""

    name: str
    title: str
    unit: str
    value: Callable[[Raw], float | None]
    better: Literal["lower", "higher"] = "lower"
    sources: tuple[str, ...] = field(default=())
    """Keys of the raw values that are kept beside the sample."""

    @property
    def part(self) -> str:
        """Which part of the guest's script takes it."""
        return PARTS[self.name.split(".")[0]]


def quantile(values: Sequence[float], share: float) -> float:
    """Nearest-rank quantile: always one of the values, so no number is made up between two."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def single(key: str) -> Callable[[Raw], float | None]:
    """The only value of `key`."""
    return lambda raw: raw[key][0] if raw.get(key) else None


def at_quantile(key: str, share: float) -> Callable[[Raw], float | None]:
    """A quantile of the values of `key`."""
    return lambda raw: quantile(raw[key], share) if raw.get(key) else None


def rate(key: str) -> Callable[[Raw], float | None]:
    """How many a second, from the milliseconds that each took."""
    return lambda raw: len(raw[key]) / (sum(raw[key]) / 1e3) if raw.get(key) and sum(raw[key]) > 0 else None


def ratio(above: str, below: str) -> Callable[[Raw], float | None]:
    """One single value by another."""
    return lambda raw: raw[above][0] / raw[below][0] if raw.get(above) and raw.get(below) and raw[below][0] else None


def share(key: str, limit: float) -> Callable[[Raw], float | None]:
    """A single value in per cent of a limit."""
    return lambda raw: raw[key][0] / limit * 100 if raw.get(key) else None


def size(text: str | int) -> int:
    """`512M` in bytes, or a plain number, as systemd reads them."""
    if isinstance(text, int) or text.isdigit():
        return int(text)
    return int(float(text[:-1]) * 1024 ** ("KMGT".index(text[-1].upper()) + 1))


BOOT = tuple(
    Definition(f"boot.{name}", title, "s", single(f"boot.{name}"), sources=(f"boot.{name}",))
    for name, title in (
        ("total", "Boot, from firmware to systemd's last job"),
        ("firmware", "Boot: firmware"),
        ("loader", "Boot: boot loader"),
        ("kernel", "Boot: kernel"),
        ("initrd", "Boot: initrd"),
        ("userspace", "Boot: user space"),
    )
)

OPTIONAL = ("boot.firmware", "boot.loader", "boot.initrd")
"""Phases that not every boot loader, and not every initrd, tells of."""

ROLES = {
    "ping": "a parent (Ping)",
    "parent": "a parent (ListProfiles)",
    "child": "a child (CheckApplicationAllowed)",
    "monitor": "the monitor (SendHeartbeat)",
}


def definitions(product: Product) -> tuple[Definition, ...]:
    """All measures that are taken in rounds, in the order in which a report shows them."""
    found = []
    for role, who in ROLES.items():
        for name, part in (("p50", 0.50), ("p95", 0.95)):
            key = f"dbus.{role}"
            title = f"D-Bus call of {who}, {name}"
            found.append(Definition(f"dbus.latency.{role}.{name}", title, "ms", at_quantile(key, part), sources=(key,)))
    found += [
        Definition(
            "exec.cost",
            "Start and end of a program, p50",
            "ms",
            at_quantile("exec.taken", 0.5),
            sources=("exec.taken",),
        ),
        Definition(
            "exec.captured",
            "Exec events recorded by the daemon, of those made",
            "ratio",
            ratio("exec.recorded", "exec.made"),
            better="higher",
            sources=("exec.recorded", "exec.made"),
        ),
    ]
    for kind, title in (("plain", "Web filter, plain request"), ("connect", "Web filter, request in a tunnel")):
        key = f"web.{kind}"
        found += [
            Definition(f"filter.{kind}.rate", f"{title}: rate", "1/s", rate(key), better="higher", sources=(key,)),
            Definition(f"filter.{kind}.p50", f"{title}: p50", "ms", at_quantile(key, 0.5)),
            Definition(f"filter.{kind}.p95", f"{title}: p95", "ms", at_quantile(key, 0.95)),
        ]
    for unit in product.units:
        found += _of_service(product, unit)
    return tuple(found)


def _of_service(product: Product, unit: str) -> list[Definition]:
    """Memory and tasks of one service; shares are of the limit that the product description declares."""
    key, limits = f"service.{unit}", product.units[unit].limits
    found = [
        Definition(f"{key}.rss", f"Resident memory of the {unit}", "B", single(f"{key}.rss")),
        Definition(f"{key}.hwm", f"Peak resident memory of the {unit}", "B", single(f"{key}.hwm")),
        Definition(f"{key}.memory", f"Memory of the {unit}'s control group", "B", single(f"{key}.current")),
    ]
    if "MemoryMax" in limits:
        title = f"Peak memory of the {unit}, of its limit"
        found.append(Definition(f"{key}.memory-share", title, "%", share(f"{key}.peak", size(limits["MemoryMax"]))))
    if "TasksMax" in limits:
        title = f"Tasks of the {unit}, of its limit"
        found.append(Definition(f"{key}.tasks-share", title, "%", share(f"{key}.tasks", size(limits["TasksMax"]))))
    return found
