from __future__ import annotations

from pathlib import Path

import pytest

from results.base.events import Event, Events
from validate.commands.validate import MEMORY_FOR_TWO, machines_at_a_time


@pytest.mark.parametrize(
    ("jobs", "available", "machines", "told"),
    [
        (1, MEMORY_FOR_TWO * 4, 1, False),  # as the user wants it
        (2, MEMORY_FOR_TWO, 2, False),
        (8, MEMORY_FOR_TWO * 4, 2, False),
        (2, MEMORY_FOR_TWO - 1, 1, True),
    ],
)
def test_two_machines_want_memory_for_two(tmp_path: Path, jobs: int, available: int, machines: int, told: bool) -> None:
    heard: list[Event] = []
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal:       99999999 kB\nMemAvailable:   {available * 1024} kB\nCached: 1 kB\n")
    assert machines_at_a_time(jobs, Events(heard.append), meminfo) == machines
    assert bool(heard) is told


def test_memory_that_is_not_known_is_none(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 99999999 kB\n")
    assert machines_at_a_time(2, Events(lambda _event: None), meminfo) == 1
