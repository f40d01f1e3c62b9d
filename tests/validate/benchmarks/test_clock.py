from __future__ import annotations

import pytest

from validate.benchmarks.content import settle
from validate.benchmarks.content.clock import Clock, batches, each, trouble

START = Clock("tsc", 100.0, 5000.0)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (Clock("tsc", 130.0, 5030.0), ""),
        (Clock("tsc", 130.0, 5030.004), ""),
        (Clock("tsc", 130.0, 8630.0), "wall clock jumped by +3600.000 s"),
        (Clock("tsc", 130.0, 5000.0), "wall clock jumped by -30.000 s"),
        (Clock("tsc", 90.0, 5030.0), "went back by 10.000 s"),
        (Clock("hpet", 130.0, 5030.0), "changed from tsc to hpet"),
    ],
)
def test_a_clock_that_jumps_is_seen(after: Clock, words: str) -> None:
    said = trouble(START, after, "tsc")
    assert (words in said) if words else said == ""


def test_a_clock_from_elsewhere_is_only_right_where_any_will_do() -> None:
    hpet = Clock("hpet", 100.0, 5000.0)
    assert trouble(hpet, hpet, "") == ""
    assert "is hpet, not tsc" in trouble(hpet, hpet, "tsc")


def test_warm_up_is_not_counted() -> None:
    calls: list[int] = []
    assert len(each(5, calls.append, 1, warm_up=3)) == 5
    assert len(calls) == 8
    assert len(batches(3, 10, calls.append, 1)) == 3


def test_settling_ends_with_three_quiet_looks_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([(0.0, 0.0), (2.0, 0.0), (2.1, 1.9), (4.0, 2.0), (4.0, 4.0), (4.0, 6.0), (4.05, 8.0)])
    monkeypatch.setattr(settle, "busy", lambda: next(looks))
    monkeypatch.setattr(settle, "LOOK", 0.0)
    found = settle.settle(5)
    assert found["quiet"]
    assert found["shares"][-3:] == [0.0, 0.0, pytest.approx(0.0244)]
