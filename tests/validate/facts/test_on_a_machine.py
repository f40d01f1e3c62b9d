"""The collector in a real, hardened machine: it sees everything, and twice the same."""

from __future__ import annotations

import pytest

from validate.facts.collect import collect, needed
from validate.facts.stable import stable
from validate.machine.machine import Machine
from validate.plan import Plan


@pytest.mark.vm
def test_a_hardened_machine_answers_every_question(hardened_machine: Machine, plan: Plan) -> None:
    units, paths = needed(check.fact for check in plan.checks)
    first, second = (
        collect(hardened_machine.session, plan.product, extra_units=units, extra_paths=paths) for _ in range(2)
    )
    assert first["errors"] == {}
    assert first["units"][plan.product.units["daemon"].name]["process"]
    assert stable(first) == stable(second)
