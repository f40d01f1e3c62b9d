"""Drift, changed controls and unpaired measures; the explanations' file."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.base.errors import UsageError
from results.compare import ABSENT, Explanation, Rules, Side, compare, load_explanations
from results.records import Budget, Conditions, Finding, Outcome, Sample


def finding(control: str, outcome: str, severity: str = "high") -> Finding:
    return Finding.model_validate(
        {"control": control, "title": control, "layer": "x", "severity": severity, "outcome": outcome, "message": "m"}
    )


def sample(name: str) -> Sample:
    return Sample(name=name, title=name, unit="s", values=(1.0,), conditions=Conditions(accelerator="tcg", cpus=1))


MADE = Explanation(path="files./etc/made*", reason="the administrator made it on the day")


def test_everything_equal_is_no_drift() -> None:
    side = Side(findings=[finding("a", "pass")], facts={"x": [1, 2], "y": None})
    found = compare("t", side, side, side, Rules())
    assert (found.drift, found.changed, found.notes) == ((), (), ())
    assert found.controls_after == {"pass": 1}


def test_drift_is_listed_and_explained() -> None:
    deployed = Side(facts={"sysctl.a": "1", "files./etc/made.conf": "x", "only.deployed": 0, "flag": True})
    baked = Side(facts={"sysctl.a": "2", "only.baked": None, "flag": 1})
    found = compare("t", Side(), deployed, baked, Rules(explanations=[MADE]))
    drift = {one.path: (one.left, one.right, bool(one.explanation)) for one in found.drift}
    assert drift == {
        "files./etc/made.conf": (ABSENT, "x", True),
        "flag": (1, True, False),
        "only.baked": (None, ABSENT, False),
        "only.deployed": (ABSENT, 0, False),
        "sysctl.a": ("2", "1", False),
    }


def test_control_that_holds_on_one_machine_only_is_drift() -> None:
    found = compare("t", Side(), Side([finding("a", "pass")]), Side([finding("a", "fail")]), Rules())
    assert [(one.path, one.left, one.right) for one in found.drift] == [("controls.a", "fail", "pass")]


def test_idle_explanation_is_noted_but_not_one_for_another_target() -> None:
    other = Explanation(path="y", reason="long enough a reason", target="nix*")
    found = compare("debian", Side(), Side(), Side(), Rules(explanations=[MADE, other]))
    assert found.notes == ("explained.yaml: nothing differs at files./etc/made*",)


def test_changed_controls() -> None:
    before, after = (
        Side([finding("a", "fail"), finding("b", "pass")]),
        Side([finding("a", "pass"), finding("c", "error")]),
    )
    found = compare("t", before, after, None, Rules())
    assert {(one["control"], one["before"], one["after"]) for one in found.changed} == {
        ("a", "fail", "pass"),
        ("b", "pass", ABSENT),
        ("c", ABSENT, "error"),
    }
    assert found.controls_after == {str(Outcome.ERROR): 1, str(Outcome.PASS): 1}


def test_measure_of_one_side_is_void_and_noted() -> None:
    rules = Rules(budgets={"a": Budget(change=0.1), "gone": Budget(limit=1)})
    found = compare("t", Side(samples=[sample("a")]), Side(samples=[sample("b")]), None, rules)
    assert [(one.name, one.verdict, one.why) for one in found.measures] == [
        ("a", "void", "not measured after"),
        ("b", "void", "not measured before"),
    ]
    assert "gone: has a budget and was not measured" in found.notes


def test_the_projects_own_explanations_are_well_formed() -> None:
    assert isinstance(load_explanations(), tuple)


def test_wrong_explanations_are_all_named(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text("- {path: a, reason: long enough a reason}\n- {path: b, raeson: x}\n- {path: c, reason: short}\n")
    with pytest.raises(UsageError) as caught:
        load_explanations(file)
    assert "e.yaml:2: 1.raeson: unknown key" in caught.value.what
    assert "e.yaml:3: 2.reason" in caught.value.what


def test_what_one_more_reboot_changes_is_listed_apart() -> None:
    baked, again = Side(facts={"a": 1, "b": 2}), Side(facts={"a": 1, "b": 3})
    only_reboot = Explanation(path="b", reason="moves at every boot", reboot=True)
    found = compare("t", Side(), baked, baked, Rules(explanations=(only_reboot,)), again)
    assert found.drift == ()
    assert found.rebooted is not None
    assert [(one.path, one.left, one.right, one.explanation) for one in found.rebooted] == [
        ("b", 2, 3, "moves at every boot")
    ]
    assert compare("t", Side(), baked, baked, Rules()).rebooted is None
