"""What a script of ours sends home from a machine, which is hostile input: taken in its shape, or not at all."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError

from results.base.errors import InfrastructureError
from results.base.strict import Strict

T = TypeVar("T", bound=Strict)


def checked(answer: Any, shape: type[T], what: str = "measurements") -> T:
    """The answer as a record. Raises `InfrastructureError` for another shape; `what` names it in the message."""
    try:
        return shape.model_validate(answer)
    except ValidationError as error:
        raise InfrastructureError(
            f"the machine's {what} are not what our script sends",
            "is something in the machine tampering with python3?",
            evidence=str(error)[:1000],
        ) from None
