"""No two controls of a group can be taken for each other."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from harden.check import Check
from harden.sabotage import DropIn, Sabotage, Stop, Write
from harden.sabotages import sabotages
from validate.falsify.grouping import Case, cases, conflict, groups, same_fact
from validate.plan import Plan


def check(*fact: str, op: str = "equals", expected: Any = "x", control: str = "a.b") -> Check:
    return Check(control, "A title", "unit", "low", fact, "raw", op, expected, "")


def case(name: str, *checks: Check, actions: tuple[Any, ...] = (Stop(unit="none"),)) -> Case:
    return Case(Sabotage(name, actions), checks)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (check("sysctl", "a"), check("sysctl", "b"), False),
        (check("sysctl", "a"), check("sysctl", "a"), True),
        (check("audit", "rules"), check("audit"), True),
        (check("units", "m@*.service", "process"), check("units", "m@kim.service", "process", "uid"), True),
        (
            check("loader", "*", op="contains", expected=["a"]),
            check("loader", "*", op="contains", expected=["b"]),
            False,
        ),
        (check("x", op="contains", expected=["a", "b"]), check("x", op="excludes", expected=["b"]), True),
        (check("x", op="contains", expected=["a"]), check("x", op="same_set", expected=["b"]), True),
    ],
)
def test_same_fact(left: Check, right: Check, same: bool) -> None:
    assert same_fact(left, right) is same_fact(right, left) is same


def test_resources_keep_apart_what_facts_do_not() -> None:
    adds = DropIn(unit="d@.service", directives={"SystemCallFilter": "bpf"})
    resets = DropIn(unit="d@.service", directives={"SystemCallFilter": ""})
    one, other = (case(name, check(name), actions=(adds,)) for name in ("a.a", "b.b"))
    assert not conflict(one, other)
    assert conflict(one, case("c.c", check("c"), actions=(resets,)))
    assert conflict(one, case("c.c", check("c"), actions=(Stop(unit="d@*.service"),)))
    assert conflict(one, case("c.c", check("c"), actions=(DropIn(unit="d@.service", directives={"User": "root"}),)))
    wrote = (Write(path="/x", content=""),)
    assert conflict(case("a.a", check("a"), actions=wrote), case("b.b", check("b"), actions=wrote))


def test_groups_are_few_whole_and_without_conflict(plan: Plan) -> None:
    every = cases(sabotages(plan.catalogue, plan.described, plan.tree), plan.checks)
    made = groups(every)
    assert sorted(one.control for group in made for one in group) == sorted(plan.catalogue.by_id)
    assert len(made) < 20
    assert not any(conflict(*pair) for group in made[1:] for pair in combinations(group, 2))
    assert made == groups(every)
