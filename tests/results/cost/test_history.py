from __future__ import annotations

from pathlib import Path

import pytest

from results.base.errors import UsageError
from results.cost import history
from results.cost.history import Entry, change_point
from results.records import Conditions, Verdict

HERE = Conditions(accelerator="tcg", clock="deterministic", cpus=1, benchmark_version=2, host="one, 6.1, QEMU 7.2")


def run(number: int, hardened: float, conditions: Conditions = HERE) -> Entry:
    return Entry(
        id=f"run-{number}",
        started="2026-01-01T00:00:00Z",
        git_commit="",
        verdict=Verdict.PASS,
        conditions=conditions,
        images={},
        measures={"bus.ping": (600.0, hardened)},
    )


@pytest.mark.parametrize(
    ("values", "at"),
    [
        ([700, 701, 699, 700, 740, 741, 739], 4),
        ([700, 701, 699, 740], 3),
        ([700, 701, 699, 700, 702, 698, 701], None),
        ([700, 704, 697, 702, 695, 703], None),
        ([700, 740], None),
        ([0, 0, 0, 0], None),
    ],
)
def test_change_point_is_marked_where_it_is(values: list[float], at: int | None) -> None:
    assert change_point(values) == at


def test_lines_are_read_back_as_they_were_appended(tmp_path: Path) -> None:
    path = tmp_path / "history" / "debian-trixie.jsonl"
    assert history.read(path) == []
    history.append(path, run(1, 700))
    history.append(path, run(2, 701))
    assert history.read(path) == [run(1, 700), run(2, 701)]
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(UsageError, match=r"debian-trixie\.jsonl:3: "):
        history.read(path)


def test_a_change_is_told_with_its_run() -> None:
    former = [run(1, 700), run(2, 701), run(3, 700)]
    notes, series = history.look_back(former, run(4, 735))
    assert series[0].changed_at == 3
    assert "bus.ping: hardened 700 to 735 (+5.0 %) from run run-4 on" in notes[-1].text
    assert "one more will tell" in notes[-1].text


@pytest.mark.parametrize(
    ("field", "value"), [("host", "another"), ("accelerator", "kvm"), ("benchmark_version", 1), ("clock", "wall")]
)
def test_a_run_under_other_conditions_is_not_compared_and_that_is_said(field: str, value: object) -> None:
    other = HERE.model_copy(update={field: value})
    notes, series = history.look_back([run(1, 100, other)], run(2, 700))
    assert series == ()
    assert notes[0].text.startswith("No verdict against the last run, run-1: other conditions:")
    assert field in notes[0].text


def test_the_first_run_says_that_it_is_the_first() -> None:
    notes, series = history.look_back([], run(1, 700))
    assert "first run" in notes[0].text
    assert series == ()
