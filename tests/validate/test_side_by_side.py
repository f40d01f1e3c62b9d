from __future__ import annotations

import threading

import pytest

from validate.side_by_side import side_by_side


@pytest.mark.parametrize("jobs", [1, 2, 3, 9])
def test_results_come_in_the_order_of_the_works(jobs: int) -> None:
    assert side_by_side([lambda: "first", lambda: "second", lambda: "third"], jobs) == ["first", "second", "third"]


def test_as_many_run_at_once_as_there_are_jobs() -> None:
    both = threading.Barrier(2, timeout=5)
    assert sorted(side_by_side([both.wait, both.wait], 2)) == [0, 1]


def test_the_first_error_is_raised_while_another_still_runs() -> None:
    never = threading.Event()

    def fail() -> bool:
        raise ValueError("no machine")

    with pytest.raises(ValueError, match="no machine"):
        side_by_side([never.wait, fail], 2)
    never.set()


@pytest.mark.parametrize("jobs", [1, 2])
def test_after_an_error_nothing_new_is_begun(jobs: int) -> None:
    begun: list[int] = []
    never = threading.Event()

    def fails() -> bool:
        raise ValueError("no machine")

    def begins() -> bool:
        begun.append(1)
        return True

    works = [fails, never.wait, begins] if jobs == 2 else [fails, begins]
    with pytest.raises(ValueError, match="no machine"):
        side_by_side(works, jobs)
    never.set()
    assert begun == []


def test_giving_up_ends_the_machines_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    started: dict[str, int] = {}
    ready, never = threading.Event(), threading.Event()
    given_up: list[int] = []
    monkeypatch.setattr("validate.side_by_side.end_started_by", given_up.extend)

    def has_a_machine() -> bool:
        started["thread"] = threading.get_ident()
        ready.set()
        return never.wait(5)

    def fail() -> bool:
        ready.wait(5)
        raise ValueError("no machine")

    with pytest.raises(ValueError, match="no machine"):
        side_by_side([has_a_machine, fail], 2)
    never.set()
    assert started["thread"] in given_up
    given_up.clear()
    assert side_by_side([lambda: 1, lambda: 2], 2) == [1, 2]
    assert given_up == []


def test_nothing_to_do_is_done() -> None:
    assert side_by_side([], 2) == []
