"""Finds evidence of falsification that fits a run, and puts it into the run's folder."""

from __future__ import annotations

import contextlib
from pathlib import Path

from results.base.errors import UsageError
from results.falsification import FILE, Falsification
from results.store import NEWEST, read_record, write_whole

FOLDER = "falsify"
"""Beside the folder of the runs."""


def newest(root: Path, target: str, checks: str) -> Path | None:
    """The newest whole evidence under `root` for this target and these checks; None where there is none."""
    with contextlib.suppress(OSError):
        folders = sorted((one for one in root.iterdir() if one.is_dir() and not one.is_symlink()), reverse=True)
        for folder in folders[:NEWEST]:
            with contextlib.suppress(UsageError):
                found = read_record(folder / FILE, Falsification)
                if (found.target, found.checks, found.partial) == (target, checks, False):
                    return folder / FILE
    return None


def adopt(root: Path, folder: Path, target: str, checks: str) -> bool:
    """Copy the newest evidence that fits into a run's folder; whether there was some."""
    found = newest(root, target, checks)
    if found:
        write_whole(folder / FILE, found.read_bytes())
    return found is not None
