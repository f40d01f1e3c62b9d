from __future__ import annotations

import threading

import pytest

from results.base.errors import InfrastructureError
from validate.judges.side_by_side import side_by_side


@pytest.mark.parametrize("jobs", [1, 2])
def test_answers_keep_their_order(jobs: int) -> None:
    assert side_by_side([lambda: "first", lambda: "second", lambda: "third"], jobs) == ["first", "second", "third"]


def test_two_really_run_at_once() -> None:
    both = threading.Barrier(2, timeout=10)
    assert sorted(side_by_side([both.wait, both.wait], 2)) == [0, 1]


def test_the_first_error_does_not_wait_for_the_others() -> None:
    never = threading.Event()

    def fail() -> bool:
        raise InfrastructureError("the machine broke")

    with pytest.raises(InfrastructureError, match="the machine broke"):
        side_by_side([never.wait, fail], 2)
    never.set()
