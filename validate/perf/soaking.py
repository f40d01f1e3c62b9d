"""Some minutes of steady load on both images side by side: whether a service gains memory for as long as it works."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from harden.product import Product
from results.base.errors import InfrastructureError, UsageError
from results.base.strict import Strict, load_yaml
from results.cost import slope
from results.cost.records import MOST_LOOKS, Side, Soak
from validate.family import make_family
from validate.guest.bundle import closure
from validate.machine.answers import checked
from validate.machine.machine import MachineSettings, machine
from validate.machine.session import Session
from validate.perf.boots import Bench
from validate.pipeline import disk_image
from validate.side_by_side import side_by_side

ALLOWED = Path(__file__).with_name("soak.yaml")
LOOKS = 60
"""Looks at every service in one soak."""

SOAK = """
from validate.benchmarks.content import soak
from validate.guest.probing import World

world = World(ARGUMENT["product"], ARGUMENT["people"], ARGUMENT["scale"])
RESULT = soak.soak(world, ARGUMENT["seconds"], ARGUMENT["every"])
"""

Count = Annotated[int, Field(ge=0, le=1 << 50)]


class Allowed(Strict):
    """What one service may gain a minute, and why no more."""

    kib: float = Field(gt=0)
    why: str = Field(min_length=10)


class Answer(Strict):
    """What the machine's script sends."""

    at: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = Field(max_length=MOST_LOOKS)
    held: dict[str, Annotated[tuple[tuple[Count, Count, Count], ...], Field(max_length=MOST_LOOKS)]]
    turns: Count


def load_allowed(product: Product, path: Path = ALLOWED) -> Mapping[str, Allowed]:
    """Read them. Raises `UsageError` where a unit of the product has none, or one is of no unit."""
    found: dict[str, Allowed] = load_yaml(path, dict[str, Allowed])
    wrong = [f"{path.name}: {name} has no entry" for name in sorted(product.units.keys() - found.keys())]
    wrong += [f"{path.name}: the product has no unit {name}" for name in sorted(found.keys() - product.units.keys())]
    if wrong:
        raise UsageError("\n".join(wrong), "one entry for each unit of the product")
    return found


def judged(answer: Any, side: Side, boot_id: str, allowed: Mapping[str, Allowed], seed: int) -> Soak:
    """The record of one machine's soak. Raises `InfrastructureError` for what our script does not send."""
    told = checked(answer, Answer, "looks")
    whole = all(earlier < later for earlier, later in zip(told.at, told.at[1:], strict=False))
    if told.held.keys() != allowed.keys() or not whole or any(len(one) != len(told.at) for one in told.held.values()):
        raise InfrastructureError("the machine's looks are not of every unit, or not in their order", "soak again")
    units = tuple(
        slope.judge(unit, told.at, held, allowed[unit].kib * 1024, seed) for unit, held in sorted(told.held.items())
    )
    return Soak(side=side, boot_id=boot_id, at=told.at, turns=told.turns, units=units)


def load(session: Session, product: Product, people: Mapping[str, str], seconds: float, scale: float) -> Any:
    """Keep the product of this machine busy for so many seconds of its time; what its script sends, unchecked."""
    argument = {
        "product": product.model_dump(mode="json"),
        "people": dict(people),
        "scale": scale,
        "seconds": seconds,
        "every": seconds / LOOKS,
    }
    modules = closure(("validate.benchmarks.content.soak",))
    return session.python(SOAK, argument, modules=modules, timeout=(seconds + 120) * scale)


def soak(bench: Bench, side: Side, seconds: float, allowed: Mapping[str, Allowed], seed: int) -> Soak:
    """Boot one image by the wall clock, and keep it busy. Raises `InfrastructureError` where a part breaks."""
    settings = MachineSettings(accelerator=bench.accelerator)
    name, scale = f"soak-{side}", bench.accelerator.time_scale
    with machine(
        disk_image(bench.images[side]), settings=settings, folder=bench.folder, name=name, events=bench.events
    ) as booted:
        family = make_family(booted.session, bench.plan.product)
        with bench.events.step(f"{name}: steady load"):
            answer = load(booted.session, bench.plan.product, family.people, seconds, scale)
        return judged(answer, side, booted.boots[-1].boot_id, allowed, seed)


def soak_both(bench: Bench, seconds: float, seed: int) -> tuple[Soak, ...]:
    """Both images, side by side where the host has the cores: what is looked at is no time."""
    allowed = load_allowed(bench.plan.product)
    sides: tuple[Side, ...] = ("baseline", "hardened")
    return tuple(side_by_side([partial(soak, bench, side, seconds, allowed, seed) for side in sides], bench.jobs))
