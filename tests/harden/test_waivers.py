"""Waiver files: strict, everything wrong said at once with its line, and nothing hostile gets through."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harden.waivers import DEFAULT_WAIVERS, load_waivers, parse_waivers
from results.base.errors import UsageError
from results.records import Finding, Waivers
from results.verdict import Case, Evidence, verdict
from results.waiving import expired, waived

NOW = "2026-11-24T06:00:00Z"
GOOD = "waivers:\n- {control: a.b, owner: ann, reason: vendor, until: 2026-11-24}\n"


def read(text: str, now: str = NOW) -> Waivers:
    return parse_waivers(text, {"a.b", "c.d"}, now=now, name="w.yaml")


def finding(outcome: str) -> Finding:
    return Finding.model_validate(
        {"control": "a.b", "title": "T", "layer": "l", "severity": "high", "outcome": outcome, "message": "m"}
    )


def reasons(text: str, outcome: str = "fail", now: str = NOW) -> str:
    machine = Evidence("deployed", [finding(outcome)])
    return "\n".join(verdict(Case(machine, machine, None, None, waivers=read(text, now))).reasons)


def test_the_example_is_an_empty_list() -> None:
    assert load_waivers(DEFAULT_WAIVERS, (), now=NOW).waivers == ()


def test_everything_wrong_is_said_at_once_with_its_line() -> None:
    text = (
        "waivers:\n- {control: a.b, owner: ann, reason: r, until: 2026-1-5}\n"
        "- {control: no.such, owner: '', until: 2027-01-01}\n"
        "- {control: a.b, owner: x, reason: r, until: 2027-02-30, extra: 1}\nmore: 1\n"
    )
    with pytest.raises(UsageError) as caught:
        read(text)
    for part in ("w.yaml:2: until", "w.yaml:3: control", "w.yaml:3: owner", "w.yaml:3: reason: is missing"):
        assert part in caught.value.what
    for part in ("w.yaml:4: extra: unknown key", "w.yaml:4: until", "waived on line 2", "w.yaml:5: more: unknown key"):
        assert part in caught.value.what


@pytest.mark.parametrize(
    "until", ["2027-01-31T00:00:00Z", "20270131", "' 2027-01-31'", "٢٠٢٧-01-31", "[2027-01-31]", "~"]
)
def test_dates_are_written_one_way(until: str) -> None:
    with pytest.raises(UsageError, match="until"):
        read(GOOD.replace("2026-11-24", until))


def test_a_waiver_holds_through_its_last_utc_day() -> None:
    assert not expired(read(GOOD, "2026-11-24T23:59:59Z"))
    assert [one.control for one in expired(read(GOOD, "2026-11-25T00:00:00Z"))] == ["a.b"]


def test_a_waived_control_is_shown_with_its_outcome_and_does_not_fail() -> None:
    (one,) = waived([finding("fail")], read(GOOD))
    assert one.outcome == "fail"
    assert one.waiver == "ann, until 2026-11-24: vendor"
    assert "a.b (high) does not hold" not in reasons(GOOD)
    assert "a.b is waived (fail)" in reasons(GOOD)


def test_expired_fails_by_name_even_where_the_control_holds() -> None:
    late = reasons(GOOD, "pass", "2026-11-25T00:00:00Z")
    assert "the waiver of a.b has expired: ann, until 2026-11-24 (w.yaml:2)" in late
    assert "a.b (high) does not hold" in reasons(GOOD, "fail", "2026-11-25T00:00:00Z")


def test_a_waiver_of_what_holds_is_not_needed() -> None:
    assert "not needed" in reasons(GOOD, "pass")


def test_a_file_that_is_missing_binary_or_huge(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    for content in (None, b"\xff\xfe\x00", b"#" * ((1 << 20) + 1)):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UsageError, match=r"w\.yaml"):
            load_waivers(path, (), now=NOW)


@given(st.text() | st.text(alphabet="waivers:control- {}[]&*!|\n\t'\"~") | st.text().map(lambda tail: GOOD + tail))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read(text)
    except UsageError as error:
        assert "w.yaml" in error.what  # noqa: PT017 - both ends are right
