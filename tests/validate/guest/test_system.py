"""What a program says while it still runs."""

from __future__ import annotations

import sys
import time

import pytest

from validate.guest import system

TALKS = "import time; print('one', flush=True); print('two', flush=True); time.sleep(60)"
LISTENS = "import time; print('one', flush=True); time.sleep(60)"


@pytest.mark.parametrize(
    ("program", "seconds", "heard"),
    [(TALKS, 30.0, ["one", "two"]), (LISTENS, 1.5, ["one"]), ("print('one')", 30.0, ["one"])],
    ids=["enough", "time is up", "over"],
)
def test_a_program_is_heard_until_it_has_said_enough(program: str, seconds: float, heard: list[str]) -> None:
    begun = time.monotonic()
    with system.started(sys.executable, "-c", program) as process:
        assert system.lines_until(process, 2, seconds=seconds) == heard
    assert time.monotonic() - begun < 20
