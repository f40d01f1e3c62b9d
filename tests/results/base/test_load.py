from __future__ import annotations

import os
import time
from pathlib import Path

from results.base.load import TICKS, cpu_seconds


def process(proc: Path, pid: int, parent: int, *ticks: int) -> None:
    folder = proc / str(pid)
    folder.mkdir()
    used = " ".join(str(one) for one in ticks)
    (folder / "stat").write_text(f"{pid} (a ) name) S {parent} {pid} {pid} 0 -1 0 0 0 0 0 {used} 20 0 1 0 5\n")


def test_descendants_and_what_has_ended_of_them_count_and_strangers_do_not(tmp_path: Path) -> None:
    process(tmp_path, 10, 1, 100, 10, 0, 0)
    process(tmp_path, 11, 10, 200, 0, 50, 0)
    process(tmp_path, 12, 11, 5, 5, 0, 0)
    process(tmp_path, 99, 1, 9000, 0, 0, 0)
    (tmp_path / "self").mkdir()
    (tmp_path / "13").mkdir()  # ended between two looks
    assert cpu_seconds(tmp_path, 10) == (110 + 250 + 10) / TICKS


def test_our_own_work_shows() -> None:
    before = cpu_seconds()
    ends = time.process_time() + 0.05
    while time.process_time() < ends:
        os.getppid()
    assert 0.03 <= cpu_seconds() - before <= 5
