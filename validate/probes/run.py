"""Sends the probes to a machine in one script and takes their answers, which nothing vouches for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field, TypeAdapter, ValidationError

from harden.product import Product
from results.base.errors import InfrastructureError
from results.base.strict import Strict
from results.records import ProbeResult
from validate.guest.bundle import closure, packed
from validate.guest.probing import EVIDENCE_LINES, EVIDENCE_WIDTH, Spec
from validate.probes.catalogue import modules, probes

if TYPE_CHECKING:
    from validate.machine.session import Session

MAIN = """
import importlib
from validate.guest import probing, runner
for name in ARGUMENT["modules"]:
    importlib.import_module(name)
world = probing.World(ARGUMENT["product"], ARGUMENT["people"], ARGUMENT["scale"])
RESULT = {"probes": runner.run(world, ARGUMENT["probes"], ARGUMENT["prelude"], ARGUMENT["modules"])}
"""

GUEST = ("validate.guest.runner", "validate.guest.sandbox")

OVERHEAD = 60.0
"""Seconds that compiling and starting the script may take in an emulated machine."""


class Answer(Strict):
    """What the machine says about one probe."""

    id: str = Field(max_length=100)
    succeeded: bool | None
    evidence: tuple[str, ...] = Field(max_length=EVIDENCE_LINES)
    message: str = Field(max_length=EVIDENCE_WIDTH)
    seconds: float = Field(ge=0, allow_inf_nan=False)


def run_probes(
    session: Session,
    product: Product,
    people: Mapping[str, str],
    selection: Iterable[str] | None = None,
    *,
    time_scale: float = 3.0,
) -> tuple[ProbeResult, ...]:
    """Run the probes (all, or those named) in one round trip, as the people of `family.Family.people`.

    `time_scale` stretches the time limits of attempts. A probe that the machine does not answer for comes back with
    `succeeded` None. Judging is `results.verdict.judged`. Raises `UsageError` for unknown ids, and
    `InfrastructureError` where there is no answer at all.
    """
    chosen = probes(selection)
    argument = {
        "modules": modules(),
        "product": product.model_dump(mode="json"),
        "people": dict(people),
        "scale": time_scale,
        "probes": [spec.id for spec in chosen],
        "prelude": packed((*GUEST, *modules()), ""),
    }
    longest = OVERHEAD + sum(spec.seconds + 5 for spec in chosen)
    answer = session.python(MAIN, argument, modules=closure((*GUEST, *modules())), timeout=longest * time_scale)
    return results(chosen, answer)


def results(chosen: Iterable[Spec], answer: Any) -> tuple[ProbeResult, ...]:
    """Records from what the machine has sent; what it left out, or made up, is never a success."""
    try:
        answers = TypeAdapter(tuple[Answer, ...]).validate_python(answer["probes"])
    except (ValidationError, KeyError, TypeError) as error:
        raise InfrastructureError(
            "the machine's answer about the probes is not what our script sends",
            "is something in the machine tampering with python3?",
            evidence=str(error)[:1000],
        ) from None
    found = {one.id: one for one in answers}
    return tuple(_result(spec, found.get(spec.id)) for spec in chosen)


def _result(spec: Spec, answer: Answer | None) -> ProbeResult:
    if answer is None:
        answer = Answer(id=spec.id, succeeded=None, evidence=(), message="the machine did not answer", seconds=0)
    return ProbeResult.model_validate(
        {
            "id": spec.id,
            "title": spec.title,
            "kind": spec.kind,
            "identity": spec.identity,
            "attempt": spec.attempt,
            "succeeded": answer.succeeded,
            "evidence": answer.evidence,
            "seconds": answer.seconds,
            "controls": spec.controls,
            "positive_control": spec.positive,
            "message": answer.message,
        }
    )
