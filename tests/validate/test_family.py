"""The family's accounts: what is asked of the machine, and what its answer means."""

from __future__ import annotations

from typing import Any

import pytest

from harden.product import load_product
from results.base.errors import InfrastructureError
from validate.family import SCRIPT, make_family


class Fake:
    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, []  # type: ignore[var-annotated]

    def python(self, source: str, argument: Any, *, timeout: float) -> Any:
        assert timeout > 0
        self.asked.append((source, argument))
        return self.answer


def make(answer: Any) -> tuple[Any, Fake]:
    fake = Fake(answer)
    session: Any = fake
    return make_family(session, load_product()), fake


def test_one_round_trip() -> None:
    family, fake = make({"accounts": [], "monitor": []})
    ((source, argument),) = fake.asked
    compile(source, "script", "exec")
    assert source == SCRIPT
    assert argument == {
        "people": [("pat", "dots-parents"), ("kim", "dots-children"), ("uma", "")],
        "units": ["dots-family-monitor@kim.service"],
        "child": "kim",
        "follows": "/etc/systemd/system/dots-family-egress.path",
    }
    assert family.people == {"parent": "pat", "child": "kim", "outsider": "uma"}


def test_a_monitor_that_does_not_start_is_told_not_raised() -> None:
    family, _ = make({"accounts": [], "monitor": ["systemctl enable: status 1"]})
    assert "status 1" in family.monitor_problem


def test_accounts_that_cannot_be_made() -> None:
    with pytest.raises(InfrastructureError, match="no group"):
        make({"accounts": ["there is no group dots-parents"], "monitor": []})
