"""Which product goes into the images: the reference workload, or the user's own packages, looked at first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from images.workload.inspect import inspect_packages
from results.base.errors import UsageError

REFERENCE = "reference"


@dataclass(frozen=True)
class Choice:
    """A workload. `paths` are the user's packages, none for the reference workload."""

    name: str
    paths: tuple[Path, ...] = ()


def choose_workload(words: Sequence[str]) -> Choice:
    """From the words of `--workload`. Raises `UsageError` for a package that is not one, naming the file."""
    if tuple(words) == (REFERENCE,):
        return Choice(REFERENCE)
    if REFERENCE in words:
        raise UsageError("--workload: the reference workload goes with no other", "name it alone, or packages only")
    packages = inspect_packages(list(words))
    return Choice(", ".join(f"{one.name} {one.version}" for one in packages), tuple(one.path for one in packages))
