from __future__ import annotations

import pytest

from results.base.errors import InfrastructureError
from results.base.strict import Strict
from validate.machine.answers import checked


class Told(Strict):
    number: int


def test_an_answer_in_its_shape_is_taken() -> None:
    assert checked({"number": 7}, Told).number == 7


@pytest.mark.parametrize("answer", [None, [], {}, {"number": "x"}, {"number": 1, "more": 2}])
def test_any_other_is_refused_and_named(answer: object) -> None:
    with pytest.raises(InfrastructureError, match="the machine's looks are not what our script sends") as caught:
        checked(answer, Told, "looks")
    assert caught.value.evidence
