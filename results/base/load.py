"""How much CPU we, and everything that we started, have used."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
UTIME, STIME, CUTIME, CSTIME, PARENT = 11, 12, 13, 14, 1
"""Fields of /proc/PID/stat behind the name's closing bracket."""


def cpu_seconds(proc: Path = Path("/proc"), root: int | None = None) -> float:
    """User and system seconds of a process (ours), its living descendants, and whatever of them has ended.

    A process that ends between two looks moves from the living to the ended of its parent, so that none is lost.
    """
    wanted = os.getpid() if root is None else root
    parents: dict[int, int] = {}
    spent: dict[int, int] = {}
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        parents[int(folder.name)] = int(fields[PARENT])
        spent[int(folder.name)] = sum(int(fields[at]) for at in (UTIME, STIME, CUTIME, CSTIME))
    return sum(ticks for pid, ticks in spent.items() if _descends(pid, wanted, parents)) / TICKS


def _descends(pid: int, root: int, parents: dict[int, int]) -> bool:
    seen: set[int] = set()
    while pid != root and pid in parents and pid not in seen:
        seen.add(pid)
        pid = parents[pid]
    return pid == root
