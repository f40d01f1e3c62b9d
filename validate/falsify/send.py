"""Sends the sabotage of a group to a machine in one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field, TypeAdapter, ValidationError

from harden.sabotage import BOOT
from results.base.errors import InfrastructureError
from results.base.strict import Strict
from results.text import one_line
from validate.falsify.grouping import Case
from validate.guest.bundle import closure

if TYPE_CHECKING:
    from validate.machine.session import Session

GUEST = "validate.falsify.guest.saboteur"
MAIN = f"from {GUEST} import main\nRESULT = main(ARGUMENT)\n"
SECONDS = 240.0
"""With KVM: a group restarts three units and loads four profiles at most."""


class Trouble(Strict):
    """What could not be done; without a control, it was a step for the whole group."""

    control: str = Field(max_length=200)
    what: str = Field(max_length=400)


class Answer(Strict):
    """What the script says."""

    troubles: tuple[Trouble, ...] = Field(max_length=2000)


def sabotage(session: Session, group: Sequence[Case], *, time_scale: float = 1.0) -> dict[str, tuple[str, ...]]:
    """Break every control of the group. Returns what could not be done, by control.

    Raises `InfrastructureError` where the machine does not answer, or answers what our script never says.
    """
    then = dict.fromkeys(step for case in group for step in case.sabotage.then if step != BOOT)
    argument = {"changes": [change for case in group for change in case.sabotage.to_json()], "then": list(then)}
    answer: Any = session.python(MAIN, argument, modules=closure([GUEST]), timeout=SECONDS * time_scale)
    try:
        told = TypeAdapter(Answer).validate_python(answer).troubles
    except ValidationError as error:
        raise InfrastructureError(
            "the machine's answer about its sabotage is not what our script sends", evidence=str(error)[:1000]
        ) from None
    found: dict[str, tuple[str, ...]] = {}
    for one in told:
        found[one.control] = (*found.get(one.control, ()), one_line(one.what, 400))
    return found
