"""Whatever a guest answers, the outcome is a value or one of our errors."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.base.errors import InfrastructureError
from validate.machine.guestscript import answer

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_every_json_value_comes_through(value: object) -> None:
    assert answer(json.dumps({"result": value}).encode()) == value


@given(st.binary())
def test_bytes_that_are_no_answer(raw: bytes) -> None:
    with pytest.raises(InfrastructureError):
        answer(raw)


@given(JSON)
def test_json_of_another_shape(value: object) -> None:
    if isinstance(value, dict) and set(value) == {"result"}:
        return
    with pytest.raises(InfrastructureError):
        answer(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (b'{"result": ' + b"[" * 200_000, "nested too deep|not JSON"),
        (b'{"result": ' + b"9" * 10_000 + b"}", "not JSON"),
        (b'{"result": Infinity}', "not JSON"),
        (b'{"result": 1, "error": "both"}', "shape"),
        (b"\xff\xfe", "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_hostile_answers(raw: bytes, match: str) -> None:
    with pytest.raises(InfrastructureError, match=match):
        answer(raw)


def test_a_truncated_answer_is_not_read() -> None:
    with pytest.raises(InfrastructureError, match="limit"):
        answer(b'{"result": 1}', truncated=True)
