"""Answers of a machine that nothing vouches for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harden.product import load_product
from results.base.errors import InfrastructureError
from validate.probes.catalogue import probes
from validate.probes.run import results, run_probes

CHOSEN = probes(["use.child-asks", "user.uses-bpf"])
GOOD = {"id": "user.uses-bpf", "succeeded": False, "evidence": ["bpf: EPERM"], "message": "", "seconds": 0.5}


def test_records_carry_what_is_known_about_the_probe() -> None:
    use, attack = sorted(results(CHOSEN, {"probes": [GOOD, GOOD | {"id": "made.up"}]}), key=lambda one: one.id)
    assert (attack.succeeded, attack.evidence) == (False, ("bpf: EPERM",))
    assert attack.controls == ("sysctl.unprivileged-bpf",)
    assert attack.positive_control == "daemon.uses-bpf"
    assert (use.succeeded, use.message) == (None, "the machine did not answer")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
)


@given(JSON | st.fixed_dictionaries({"probes": JSON}))
def test_nonsense_is_an_infrastructure_error_or_no_success(answer: Any) -> None:
    try:
        found = results(CHOSEN, answer)
    except InfrastructureError:
        return
    assert all(one.succeeded is None for one in found)


@pytest.mark.parametrize("change", [{"seconds": -1}, {"seconds": float("nan")}, {"evidence": ["x"] * 99}, {"extra": 1}])
def test_answers_out_of_bounds_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InfrastructureError):
        results(CHOSEN, {"probes": [GOOD | change]})


def test_one_round_trip_with_everything_on_board() -> None:
    calls: list[tuple[str, dict[str, Any], dict[str, str]]] = []

    class Fake:
        def python(self, source: str, argument: Any, *, modules: dict[str, str], timeout: float) -> Any:
            assert timeout > 0
            calls.append((source, argument, modules))
            return {"probes": [GOOD]}

    people = {"parent": "pat", "child": "kim", "outsider": "uma"}
    fake: Any = Fake()
    run_probes(fake, load_product(), people, ["user.uses-bpf"])
    ((source, argument, modules),) = calls
    assert "runner.run" in source
    assert argument["probes"] == ["user.uses-bpf"]
    assert {"validate.guest.runner", "validate.guest.sandbox", "validate.guest.dbus"} <= modules.keys()
