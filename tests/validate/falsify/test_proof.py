"""Green, red, green: nothing else is a proof."""

from __future__ import annotations

from typing import Any

import pytest

from harden.check import Check
from harden.sabotage import Sabotage, SetSysctl, Stop
from harden.sabotages import sabotages
from validate.falsify.grouping import Case, cases
from validate.falsify.proof import Seen, evidence_of, outcomes, red_checks, result, turned_red
from validate.plan import Plan

UNIT = ("units", "d.service", "process", "seccomp")


def check(*fact: str, control: str = "a.b") -> Check:
    return Check(control, "A title", "unit", "low", fact, "raw", "equals", "2", "")


def case(*checks: Check, stops: bool = False) -> Case:
    return Case(Sabotage("a.b", (Stop(unit="d"),) if stops else (SetSysctl(name="x", values=("1",)),)), checks)


def facts(process: Any, **more: Any) -> dict[str, Any]:
    return {"errors": {}, "units": {"d.service": {"process": process}}, "sysctl": {"x": "2"}, **more}


def test_a_red_check_tells_what_it_looks_at() -> None:
    (found,) = red_checks(case(check(*UNIT), check("sysctl", "x")), facts({"seccomp": "0"}))
    assert found.fact == ".".join(UNIT)
    assert found.evidence == "state"
    assert 'is "0"' in found.message


def test_a_process_that_is_gone_shows_nothing_unless_it_was_to_go() -> None:
    assert red_checks(case(check(*UNIT)), facts(None)) == ()
    assert len(red_checks(case(check(*UNIT), stops=True), facts(None))) == 1


def test_a_check_that_could_not_look_is_no_proof() -> None:
    broken = facts({"seccomp": "0"}) | {"errors": {"sysctl": "no answer"}}
    assert red_checks(case(check("sysctl", "x")), broken) == ()


@pytest.mark.parametrize(
    ("fact", "kind"),
    [
        (("files", "/etc/x", "sha256"), "digest"),
        (("files", "/etc/x", "mode"), "state"),
        (("sysctl_configured", "x", "value"), "configuration"),
        (("dbus", "product_rules", "*", "file"), "configuration"),
        (("dbus", "names", "x", "user"), "state"),
    ],
)
def test_kinds_of_evidence(fact: tuple[str, ...], kind: str) -> None:
    assert evidence_of(fact) == kind


def test_outcomes_and_what_else_turned_red() -> None:
    checks = [check("sysctl", "x"), check(*UNIT, control="c.d")]
    before, after = (outcomes(checks, facts({"seccomp": value})) for value in ("2", "0"))
    assert before == {"a.b": "pass", "c.d": "pass"}
    assert turned_red(before, after, ["a.b"]) == ("c.d",)
    assert turned_red(before, after, ["c.d"]) == ()


@pytest.mark.parametrize(
    ("before", "red", "after", "why"),
    [
        ("pass", True, "pass", ""),
        ("fail", True, "pass", "was not green to begin with: fail"),
        ("pass", False, "pass", "none of its checks turned red"),
        ("pass", True, "error", "was not green again when it was undone: error"),
    ],
)
def test_only_green_red_green_is_a_proof(before: str, red: bool, after: str, why: str, plan: Plan) -> None:
    one = cases(sabotages(plan.catalogue, plan.described, plan.tree), plan.checks)[0]
    seen_red = red_checks(case(check(*UNIT)), facts({"seccomp": "0"})) if red else ()
    made = result(one, plan.catalogue.by_id[one.control], 1, Seen(before, seen_red, after, ("a trouble",)))
    assert made.proven is (not why)
    assert made.message == "; ".join(filter(None, [why, "a trouble"]))
    assert made.evidence == ("state" if red else None)
