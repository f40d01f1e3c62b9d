from __future__ import annotations

import pytest

from validate.bench.figure import Figure, timed


@pytest.mark.parametrize(("limit", "late"), [(None, False), (2.0, False), (1.5, False), (1.4, True)])
def test_a_figure_beyond_its_limit_says_so(limit: float | None, late: bool) -> None:
    figure = Figure("nothing to do", 1.5, limit)
    assert figure.late is late
    assert ("TOO MUCH" in figure.line) is late
    assert "1.500 s" in figure.line


def test_a_time_is_taken_and_the_value_kept() -> None:
    seconds, value = timed(lambda: 7)
    assert (value, 0 <= seconds < 1) == (7, True)
