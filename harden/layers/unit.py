"""Unit sandboxing: a drop-in for each unit, and what systemd and the kernel say of the running process."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, field_validator, model_validator

from harden.control import Expectation
from harden.layers.base import Layer, Placed, expect, render_file
from harden.layers.unit_directives import (
    ACCUMULATING,
    ERRNO,
    IN_UNIT_SECTION,
    KINDS,
    PROPERTY,
    expanded,
    size,
)
from harden.layers.unit_opposites import opposites
from harden.product import Product, Unit
from harden.sabotage import Action, DropIn
from harden.tree import Tree, TreeFile
from results.base.strict import Strict

Value = bool | int | str | list[str | int]

WORDS = {"any": ("0.0.0.0/0", "::/0"), "multicast": ("224.0.0.0/4", "ff00::/8")}
"""What systemd makes of the words that it has for addresses."""


class UnitSet(Strict):
    """`{unit: daemon, ProtectSystem: strict}`: a product unit's key, and directives."""

    unit: str
    directives: dict[str, Value] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if isinstance(data, dict) and "directives" not in data:
            rest = {key: value for key, value in data.items() if key != "unit"}
            return {"unit": data.get("unit"), "directives": rest}
        return data

    @field_validator("directives")
    @classmethod
    def _known(cls, directives: dict[str, Value]) -> dict[str, Value]:
        unknown = sorted(set(directives) - set(KINDS))
        if unknown:
            raise ValueError(f"no directive that a control may set: {', '.join(unknown)}")
        return directives


@dataclass(frozen=True)
class Line:
    """One assignment of a drop-in."""

    section: str
    text: str
    control: str


def words_of(value: Value) -> tuple[str, ...]:
    """The value as words, whether it was written as a list or as text."""
    if isinstance(value, list):
        return tuple(str(item) for item in value)
    return tuple(str(value).split())


def written(value: Value) -> str:
    """The value as systemd reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(words_of(value)) if isinstance(value, list) else str(value)


def resets(name: str) -> bool:
    """Whether an empty assignment has to come first, so that the vendor's own does not add to ours."""
    return name in ACCUMULATING or KINDS[name] in ("capabilities", "calls")


def lines_of(controls: Sequence[Placed[UnitSet]]) -> list[Line]:
    """All assignments of one unit in a safe order: for system calls, what is allowed comes before what is denied."""
    lines: list[Line] = []
    assignments = [(name, value, one.id) for one in controls for name, value in one.set.directives.items()]
    assignments.sort(key=lambda item: (item[0], written(item[1]).startswith("~"), item[2]))
    seen: set[str] = set()
    for name, value, control in assignments:
        section = "Unit" if name in IN_UNIT_SECTION else "Service"
        if resets(name) and name not in seen and written(value):
            lines.append(Line(section, f"{name}=", control))
        seen.add(name)
        lines.append(Line(section, f"{name}={written(value)}", control))
    return lines


class UnitLayer(Layer[UnitSet]):
    """systemd units of the product."""

    name = "unit"
    shape = UnitSet
    remediation = "apply the hardening again; a drop-in of yours may override it: `systemctl cat UNIT` shows them all"

    def files(self, controls: Sequence[Placed[UnitSet]], product: Product) -> Iterator[TreeFile]:
        """One drop-in a unit."""
        for key in sorted({one.set.unit for one in controls}):
            own = [one for one in controls if one.set.unit == key]
            path = f"/etc/systemd/system/{product.units[key].name}.d/50-{product.name}-hardening.conf"
            yield render_file("dropin.conf.j2", path, own, lines=lines_of(own))

    def expectations(self, placed: Placed[UnitSet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """What systemd holds for the unit, and where the kernel tells more, what the process has."""
        del tree
        unit = product.units[placed.set.unit]
        for name, value in placed.set.directives.items():
            yield from _property(unit, name, value)
            yield from _process(unit, name, value)

    def sabotages(
        self, placed: Placed[UnitSet], siblings: Sequence[Placed[UnitSet]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """A drop-in that comes behind ours and says the opposite; the unit is restarted with it."""
        del siblings, tree
        unit = product.units[placed.set.unit].name
        said: dict[str, str] = {}
        for name, value in placed.set.directives.items():
            said |= opposites(name, words_of(value), written(value))
        for section in ("Unit", "Service"):
            own = {name: value for name, value in said.items() if (name in IN_UNIT_SECTION) == (section == "Unit")}
            if own:
                yield DropIn(unit=unit, section=section, directives=own)


def _ip(value: Value) -> list[str]:
    return [address for word in words_of(value) for address in WORDS.get(word, (word,))]


def _property(unit: Unit, name: str, value: Value) -> Iterator[Expectation]:
    fact = ("units", unit.glob, "properties", PROPERTY.get(name, name))
    kind = KINDS[name]
    text = written(value)
    if kind in ("words", "families"):
        words = sorted(words_of(value))
        yield expect(*fact, op="same_set", read="words", expected=words)
    elif kind == "bind":
        paths = [re.escape(word.lstrip("-")) for word in words_of(value)]
        yield expect(*fact, op="matches", expected=" ".join(f"-?{path}:{path}:n?o?rbind" for path in paths))
    elif kind == "ip":
        yield expect(*fact, op="same_set", read="words", expected=sorted(_ip(value)))
    elif kind == "capabilities":
        yield expect(*fact, op="same_set", read="words", expected=sorted(word.lower() for word in words_of(value)))
    elif kind == "calls" and text.startswith("~"):
        denied = list(expanded(words_of(text[1:])))
        yield expect(*fact, op="excludes", read="words", expected=denied)
    elif kind == "calls":
        allowed = sorted(word for word in words_of(value) if not word.startswith("@"))
        yield expect(*fact, op="contains", read="words", expected=["read", *allowed])
    else:
        yield expect(*fact, op="equals", expected=_printed(name, text))


def _printed(name: str, text: str) -> str:
    """A single value as `systemctl show` prints it."""
    kind = KINDS[name]
    if kind == "size":
        return size(text)
    if kind == "octal":
        return text.zfill(4)
    if kind == "seconds":
        return "0" if text == "0" else f"{text}s"
    return ERRNO.get(text, text) if name == "SystemCallErrorNumber" else text


def _process(unit: Unit, name: str, value: Value) -> Iterator[Expectation]:
    """What the kernel says of the running process: systemd may hold a setting that never reached it."""
    process = ("units", unit.glob, "process")
    if name == "CapabilityBoundingSet":
        allowed = sorted(words_of(value))
        yield expect(*process, "cap_bnd", op="subset", expected=allowed)
        yield expect(*process, "cap_eff", op="subset", expected=allowed)
    elif name == "AmbientCapabilities":
        yield expect(*process, "cap_amb", op="same_set", expected=sorted(words_of(value)))
    elif name == "NoNewPrivileges":
        yield expect(*process, "no_new_privs", op="equals", expected="1")
    elif name == "SystemCallFilter":
        yield expect(*process, "seccomp", op="equals", expected="2")
    elif name == "SupplementaryGroups":
        yield expect(*process, "groups", op="contains", expected=sorted(words_of(value)))
    elif name == "AppArmorProfile":
        yield expect(*process, "apparmor", op="equals", expected=f"{written(value)} (enforce)")
