"""Strict files: everything wrong is reported at once, with file, line and key."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.base.errors import UsageError
from results.base.strict import Strict, load_json, load_yaml, parse_yaml


class Inner(Strict):
    size: int


class Shape(Strict):
    name: str
    inner: Inner
    many: tuple[Inner, ...] = ()


def test_good_file_is_read() -> None:
    assert parse_yaml("name: a\ninner: {size: 3}\n", Shape, name="x.yaml") == Shape(name="a", inner=Inner(size=3))


def test_all_problems_come_at_once_with_line_and_key() -> None:
    text = "name: a\ninner:\n  size: big\n  colour: red\nmany:\n  - {size: 1}\n  - {siez: 2}\nextra: 1\n"
    with pytest.raises(UsageError) as caught:
        parse_yaml(text, Shape, name="x.yaml")
    lines = caught.value.what.splitlines()
    assert any(line.startswith("x.yaml:3: inner.size:") for line in lines)
    assert "x.yaml:4: inner.colour: unknown key" in lines
    assert any(line.startswith("x.yaml:7: many.1.siez: unknown key") for line in lines)
    assert any(line.startswith("x.yaml:7: many.1.size:") for line in lines)
    assert "x.yaml:8: extra: unknown key" in lines


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(UsageError, match=r"x\.yaml:3: key 'name' was given already on line 1"):
        parse_yaml("name: a\ninner: {size: 1}\nname: b\n", Shape, name="x.yaml")


def test_broken_yaml_and_missing_file_and_binary(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.yaml:2"):
        parse_yaml("name: [\n", Shape, name="x.yaml")
    with pytest.raises(UsageError, match="No such file"):
        load_yaml(tmp_path / "none.yaml", Shape)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_yaml(tmp_path / "b.yaml", Shape)


def test_json_records_are_strict_too(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"name": "a", "inner": {"size": 1}, "new": 2}')
    with pytest.raises(UsageError, match="new: unknown key"):
        load_json(path, Shape)
    path.write_text("[" * 100_000)
    with pytest.raises(UsageError, match="not JSON"):
        load_json(path, Shape)


@given(st.text())
def test_no_text_gets_past_as_anything_but_a_shape_or_a_usage_error(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert isinstance(parse_yaml(text, Shape, name="x"), Shape)
