"""Every operation, and what it says."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validate.audit.operations import COMPARISONS, CannotCompareError, compare

HOLDS = [
    ("raw", "equals", "2", "2"),
    ("raw", "equals", True, True),
    ("raw", "equals", ["a"], ("a",)),
    ("words", "equals", "a b", ["a", "b"]),
    ("words", "equals", "4096\t87380", "4096 87380"),
    ("raw", "one_of", "2", ["1", "2"]),
    ("int", "one_of", "2", [1, 2]),
    ("int", "at_most", "5", 5),
    ("int", "at_least", "infinity", 5),
    ("int", "at_most", 536870912, "536870912"),
    ("words", "contains", "a b c", ["a", "c"]),
    ("raw", "contains", ["CAP_BPF"], []),
    ("raw", "excludes", ["a"], ["b"]),
    ("raw", "subset", ["a"], ["a", "b"]),
    ("raw", "subset", [], []),
    ("raw", "same_set", ["b", "a"], ["a", "b"]),
    ("lines", "same_set", "a b\nc", ["c", "a b"]),
    ("octal", "mode_within", "0600", "0640"),
    ("raw", "mode_within", "0640", "0640"),
    ("octal", "equals", "0640", "640"),
    ("raw", "matches", "dots-family.daemon (enforce)", r"dots-.* \(enforce\)"),
    ("raw", "contains", {"a": 1}, ["a"]),
]
BROKEN = [
    ("raw", "equals", 1, True, "is 1, expected true"),
    ("raw", "equals", "2", 2, 'is "2", expected 2'),
    ("raw", "one_of", "3", ["1", "2"], 'is "3", expected one of 1, 2'),
    ("int", "at_most", "6", 5, "is 6, expected at most 5"),
    ("int", "at_least", "6", 7, "is 6, expected at least 7"),
    ("words", "contains", "a b", ["a", "c"], "lacks c"),
    ("raw", "excludes", ["a", "b"], ["b"], "holds b, which must not be there"),
    ("raw", "subset", ["a", "b"], ["a"], "holds b beyond what is allowed (a)"),
    ("raw", "subset", ["b"], [], "holds b beyond what is allowed (nothing)"),
    ("raw", "same_set", ["a", "x"], ["a", "b"], "lacks b; holds x besides"),
    ("octal", "mode_within", "0644", "0640", "has mode 0644, expected no permission beyond 0640"),
    ("octal", "mode_within", "4750", "0750", "has mode 4750, expected no permission beyond 0750"),
    ("raw", "matches", "ab", "a", 'is "ab", expected to match a'),
]
ODD: list[tuple[str, str, Any, Any]] = [
    ("int", "at_most", "many", 5),
    ("int", "at_most", True, 5),
    ("int", "at_most", "9" * 5000, 5),
    ("octal", "mode_within", "0888", "0640"),
    ("octal", "mode_within", "0622 ", ["x"]),
    ("raw", "contains", "text", ["t"]),
    ("raw", "matches", ["a"], "a"),
    ("raw", "matches", "a" * 100_000, "a*"),
    ("words", "equals", 5, "5"),
    ("raw", "one_of", "a", "abc"),
]


@pytest.mark.parametrize(("read", "op", "value", "expected"), HOLDS)
def test_holds(read: str, op: str, value: Any, expected: Any) -> None:
    assert compare(read, op, value, expected) == ""


@pytest.mark.parametrize(("read", "op", "value", "expected", "said"), BROKEN)
def test_does_not_hold_and_says_why(read: str, op: str, value: Any, expected: Any, said: str) -> None:
    assert compare(read, op, value, expected) == said


@pytest.mark.parametrize(("read", "op", "value", "expected"), ODD)
def test_the_wrong_kind_of_fact_is_neither(read: str, op: str, value: Any, expected: Any) -> None:
    with pytest.raises(CannotCompareError):
        compare(read, op, value, expected)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(["raw", "words", "int", "lines", "octal"]), st.sampled_from(sorted(COMPARISONS)), anything, anything
)
def test_any_values_compare_or_say_that_they_cannot(read: str, op: str, value: Any, expected: Any) -> None:
    with suppress(CannotCompareError):
        assert isinstance(compare(read, op, value, expected), str)


@given(st.integers(0, 0o7777), st.integers(0, 0o7777))
def test_a_mode_is_within_when_it_adds_no_bit(mode: int, limit: int) -> None:
    assert (compare("octal", "mode_within", f"{mode:04o}", f"{limit:04o}") == "") == (mode | limit == limit)


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
def test_set_operations_agree_with_sets(left: list[str], right: list[str]) -> None:
    assert (compare("raw", "contains", left, right) == "") == (set(left) >= set(right))
    assert (compare("raw", "subset", left, right) == "") == (set(left) <= set(right))
    assert (compare("raw", "excludes", left, right) == "") == (not set(left) & set(right))
    assert (compare("raw", "same_set", left, right) == "") == (set(left) == set(right))
