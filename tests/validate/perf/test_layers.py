from __future__ import annotations

from typing import Any

import pytest

from results.base.errors import InfrastructureError
from validate.perf.layers import LIVE, without
from validate.plan import Plan


class Recorded:
    """A session that keeps what it is asked, and says that every key was 1 before."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def python(self, _source: str, argument: dict[str, Any], **_: object) -> dict[str, str]:
        self.asked.append(argument)
        return dict.fromkeys(argument["sysctl"], "1")


@pytest.mark.parametrize("layer", LIVE, ids=lambda one: one.layer)
def test_what_is_left_out_is_put_back_even_after_an_error(plan: Plan, layer: Any) -> None:
    session: Any = Recorded()
    with (
        pytest.raises(InfrastructureError),
        without(layer, session, plan.product, {"vm.swappiness": "60"}, 10),
    ):
        raise InfrastructureError("the machine is gone")
    out, back = session.asked
    assert back["remove"] == list(out["files"])
    assert back["sysctl"] == dict.fromkeys(out["sysctl"], "1")
    assert [profile for _, profile in back["profiles"]] == [profile for _, profile in out["profiles"]]
    assert back["reload"] == out["reload"] == bool(out["files"])
    assert out["files"] or out["sysctl"] or out["run"]
    assert bool(out["run"]) == bool(back["run"]) == layer.packet_filter
