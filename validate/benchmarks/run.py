"""Measures a machine in one script and turns its raw values into samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from harden.product import Product
from results.base.strict import Strict
from results.records import Conditions, Sample
from validate.benchmarks.measures import BOOT, OPTIONAL, Definition, Raw, definitions
from validate.family import Family
from validate.guest.bundle import closure
from validate.machine.answers import checked

if TYPE_CHECKING:
    from validate.machine.session import Session

MODULES = ("validate.benchmarks.content.boot", "validate.benchmarks.content.rounds")

MAIN = """
from validate.benchmarks.content import boot, rounds
from validate.guest.probing import World

world = World(ARGUMENT["product"], ARGUMENT["people"], ARGUMENT["scale"])
taken, problems = rounds.rounds(world, ARGUMENT["repetitions"])
try:
    phases, timeline = boot.measure(world)
except Exception as error:
    phases, timeline, problems["boot"] = {}, [], f"{type(error).__name__}: {error}"[:500]
RESULT = {"boot": phases, "timeline": timeline, "rounds": taken, "problems": problems}
"""

REPETITIONS = 7
TIME_LIMIT = 120.0

Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Values = dict[str, tuple[Number, ...]]


class Bar(Strict):
    """One unit of the boot timeline; seconds since the kernel's start."""

    name: str = Field(max_length=256)
    start: Number
    seconds: Number


class Answer(Strict):
    """What the machine sends."""

    boot: Values
    timeline: tuple[Bar, ...] = Field(max_length=100)
    rounds: tuple[Values, ...] = Field(max_length=1000)
    problems: dict[str, str]


class Measured(NamedTuple):
    """Samples, and the boot timeline (name, start, seconds; slowest first)."""

    samples: tuple[Sample, ...]
    timeline: tuple[dict[str, Any], ...]


def run_benchmarks(
    session: Session,
    product: Product,
    conditions: Conditions,
    *,
    people: Mapping[str, str] | None = None,
    repetitions: int = REPETITIONS,
    time_scale: float = 3.0,
) -> Measured:
    """Take every measure in one round trip, as `people` (default: those that `family.make_family` makes).

    `time_scale` stretches time limits, never a measure.
    A measure that could not be taken is a sample without values, its detail tells the `problem`; a comparison shows
    it as void. Raises `InfrastructureError` where the answer is not what our script sends.
    """
    argument = {
        "product": product.model_dump(mode="json"),
        "people": dict(people or Family().people),
        "scale": time_scale,
        "repetitions": repetitions,
    }
    answer = session.python(MAIN, argument, modules=closure(MODULES), timeout=TIME_LIMIT * time_scale)
    return measured(answer, product, conditions)


def measured(answer: Any, product: Product, conditions: Conditions) -> Measured:
    """Samples from the raw values: pure. Raises `InfrastructureError` for an answer of another shape."""
    raw = checked(answer, Answer)
    boot = [one for one in BOOT if one.name in raw.boot or one.name not in OPTIONAL]
    taken = [(one, [raw.boot]) for one in boot] + [(one, list(raw.rounds)) for one in definitions(product)]
    samples = (_sample(one, rounds, conditions, raw.problems.get(one.part, "")) for one, rounds in taken)
    return Measured(tuple(samples), tuple(bar.model_dump() for bar in raw.timeline))


def _sample(definition: Definition, rounds: Sequence[Raw], conditions: Conditions, problem: str) -> Sample:
    """One measure over all repetitions; those that lack it are left out, and the detail keeps every raw value."""
    values = [round(value, 6) for raw in rounds if (value := definition.value(raw)) is not None]
    raw_values = {key: [[round(one, 4) for one in raw.get(key, ())] for raw in rounds] for key in definition.sources}
    detail: dict[str, Any] = {"raw": raw_values} if raw_values else {}
    if problem or not values:
        detail["problem"] = problem[:500] or "the machine gave no value"
    return Sample.model_validate(
        {
            "name": definition.name,
            "title": definition.title,
            "unit": definition.unit,
            "better": definition.better,
            "values": values,
            "conditions": conditions,
            "detail": detail,
        }
    )
