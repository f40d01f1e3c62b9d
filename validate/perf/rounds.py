"""Asks one machine for rounds of raw values, and checks that they are what our script sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from harden.product import Product
from results.base.strict import Strict
from results.cost.records import Round
from validate.guest.bundle import closure
from validate.machine.answers import checked

if TYPE_CHECKING:
    from validate.machine.session import Session

PARTS = ("services", "bus", "execs", "database", "filter", "kernel", "holdings")
TSC = "tsc"
ROUND_SECONDS = 60.0
SETTLE_SECONDS = 60.0
"""Of the guest's time, before the machine's scale."""

COSTS = """
from validate.benchmarks.content import costs
from validate.guest.probing import World

world = World(ARGUMENT["product"], ARGUMENT["people"], ARGUMENT["scale"])
RESULT = costs.take(world, ARGUMENT["parts"], ARGUMENT["source"])
"""

SETTLE = """
from validate.benchmarks.content import settle

RESULT = settle.settle(ARGUMENT)
"""

SYSCTL = """
RESULT = {}
for key in ARGUMENT:
    try:
        with open("/proc/sys/" + key.replace(".", "/")) as file:
            RESULT[key] = " ".join(file.read().split())
    except OSError:
        continue
"""

Number = Annotated[float, Field(allow_inf_nan=False)]


class Answer(Strict):
    """What a round's script sends."""

    raw: dict[Annotated[str, Field(max_length=80)], Annotated[tuple[Number, ...], Field(max_length=2000)]]
    problems: dict[str, Annotated[str, Field(max_length=600)]]


class Settled(Strict):
    """What the waiting came to."""

    quiet: bool
    waited: float
    shares: tuple[Number, ...] = Field(max_length=100)


@dataclass(frozen=True)
class Asker:
    """One machine's session, and what each question needs."""

    session: Session
    product: Product
    people: Mapping[str, str]
    scale: float
    source: str
    """Clock source that the guest has to have; empty for any."""

    def settle(self) -> Settled:
        """Wait until the machine is at rest."""
        answer = self.session.python(
            SETTLE,
            SETTLE_SECONDS,
            modules=closure(("validate.benchmarks.content.settle",)),
            timeout=SETTLE_SECONDS * self.scale,
        )
        return checked(answer, Settled)

    def sysctl(self, keys: Sequence[str]) -> dict[str, str]:
        """Live values of these keys; one that the kernel does not have is left out."""
        answer = self.session.python(SYSCTL, list(keys), timeout=30 * self.scale)
        return {str(key): str(value)[:200] for key, value in dict(answer).items()}

    def round(self, parts: Sequence[str] = PARTS, *, without: str = "") -> Round:
        """One round, with a note of the layer that is left out meanwhile.

        Raises `InfrastructureError` where the answer has another shape, or the machine is gone.
        """
        argument = {
            "product": self.product.model_dump(mode="json"),
            "people": dict(self.people),
            "scale": self.scale,
            "parts": list(parts),
            "source": self.source,
        }
        modules = closure(("validate.benchmarks.content.costs",))
        answer = checked(
            self.session.python(COSTS, argument, modules=modules, timeout=ROUND_SECONDS * self.scale), Answer
        )
        raw = {key: tuple(round(value, 3) for value in values) for key, values in answer.raw.items()}
        return Round(raw=raw, problems=answer.problems, without=without)
