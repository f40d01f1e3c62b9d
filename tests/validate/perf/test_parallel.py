from __future__ import annotations

import threading

import pytest

from validate.perf.parallel import side_by_side


def test_results_come_in_the_order_of_the_jobs() -> None:
    second = threading.Event()

    def first() -> int:
        assert second.wait(5)
        return 1

    def other() -> int:
        second.set()
        return 2

    assert side_by_side([first, other], 2) == [1, 2]


def test_an_error_ends_the_others_that_have_not_started() -> None:
    started: list[int] = []

    def fails() -> None:
        raise ValueError("no machine")

    with pytest.raises(ValueError, match="no machine"):
        side_by_side([fails, lambda: started.append(1)], 1)
    assert started == []
