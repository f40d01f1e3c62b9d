"""A machine may send anything: it is either facts that can be judged, or one clear error."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from results.base.errors import InfrastructureError, PipelineError, UsageError
from validate.audit.judge import judge
from validate.facts.schema import checked, load_facts, oddity
from validate.facts.stable import stable

GOLDEN = Path(__file__).parent / "golden"
FACTS: dict[str, Any] = json.loads((GOLDEN / "boot-1.json").read_text())

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def check(facts: Any) -> dict[str, Any]:
    return checked(facts, InfrastructureError, "the machine's answer")


def test_facts_of_a_real_machine_pass() -> None:
    assert load_facts(GOLDEN / "boot-1.json") == FACTS


def test_facts_from_a_newer_schema_are_refused() -> None:
    with pytest.raises(UsageError, match="facts from a newer schema"):
        check({**FACTS, "schema": 2})


@pytest.mark.parametrize("version", [None, True, "1", 0, -1, 1.5, [1]])
def test_what_is_no_version_is_refused(version: Any) -> None:
    with pytest.raises(InfrastructureError, match="schema"):
        check({**FACTS, "schema": version})


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "not a finite number"),
        (float("inf"), "not a finite number"),
        (nested(5000), "nested too deep"),
        ("x" * 2_000_000, "text of 2000000 characters"),
        ("\ud800", "no Unicode"),
        (1 << 70, "more than 64 bits"),
        ([0] * 500_000, "more than 400000 values"),
        ({"\udfff": 1}, "no Unicode"),
        ({1: 1}, "key"),
        (b"x", "a bytes"),
    ],
    ids=["nan", "inf", "deep", "long", "surrogate", "big", "many", "key", "number as key", "bytes"],
)
def test_what_no_honest_collector_sends(value: Any, said: str) -> None:
    assert said in oddity({"kernel": value})
    with pytest.raises(InfrastructureError, match="no facts that can be judged") as caught:
        check({**FACTS, "kernel": value})
    assert said in str(caught.value)
    assert len(str(caught.value)) < 5000


def test_a_section_that_is_neither_there_nor_excused_is_refused() -> None:
    facts = {key: value for key, value in FACTS.items() if key != "audit"}
    with pytest.raises(InfrastructureError) as caught:
        check(facts)
    assert "audit: neither collected nor excused" in str(caught.value)
    assert check({**facts, "errors": {"audit": "auditctl: not on this machine"}})


def test_an_unknown_section_is_named() -> None:
    with pytest.raises(InfrastructureError) as caught:
        check({**FACTS, "surprise": {}})
    assert "surprise" in str(caught.value)


def test_wrong_types_are_named_with_their_place() -> None:
    facts = copy.deepcopy(FACTS)
    facts["audit"]["rules"] = "none"
    facts["accounts"]["users"]["kim"]["uid"] = "1000"
    with pytest.raises(InfrastructureError) as caught:
        check(facts)
    assert "audit.rules" in str(caught.value)
    assert "accounts.users.kim.uid" in str(caught.value)


def test_files_that_are_no_facts(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    with pytest.raises(UsageError, match="No such file"):
        load_facts(path)
    for text in ("", "[]", "{}", "null", '{"schema": 1}', "[" * 100_000, '{"schema": NaN}'):
        path.write_text(text)
        with pytest.raises(UsageError):
            load_facts(path)
    with path.open("wb") as file:
        file.truncate(64 << 20)
    with pytest.raises(UsageError, match="are no facts"):
        load_facts(path)


@given(json_values)
def test_any_answer_is_an_error_never_a_crash(value: Any) -> None:
    with pytest.raises(PipelineError):
        check(value)


def places(value: Any, done: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [done] if done else []
    if isinstance(value, dict):
        return found + [place for key in value for place in places(value[key], (*done, key))]
    if isinstance(value, list):
        return found + [place for index, item in enumerate(value) for place in places(item, (*done, index))]
    return found


PLACES = places(FACTS)
CHECKS = [
    {
        "control": f"c{number}",
        "title": "t",
        "layer": "l",
        "severity": "high",
        "fact": tuple(map(str, place)),
        "read": read,
        "op": op,
        "expected": "640",
        "remediation": "",
    }
    for number, place in enumerate(PLACES[::60])
    for read, op in (("raw", "equals"), ("words", "subset"), ("int", "at_most"), ("octal", "mode_within"))
]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.sampled_from(PLACES), json_values)
def test_facts_with_a_lie_in_them_are_refused_or_judged(place: tuple[Any, ...], lie: Any) -> None:
    facts = copy.deepcopy(FACTS)
    holder: Any = facts
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = lie
    try:
        check(facts)
    except PipelineError:
        return
    json.dumps(judge(CHECKS, facts), allow_nan=False)
    json.dumps(stable(facts), allow_nan=False)
