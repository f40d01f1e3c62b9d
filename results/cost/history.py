"""Costs from run to run: one line a run in `results/history/<target>.jsonl`, and the points at which a cost changed.

Runs are only compared with runs under the same conditions: host, accelerator, clock, benchmark version.

A change point is the split of a series into two parts that leaves the least absolute deviation from the two medians,
where the medians differ by more than `FLOOR` and by more than `SIGMAS` standard deviations (1.4826 times the median
absolute deviation of what is left). At least `BEFORE` runs lie before it; after it there may be the newest run alone.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from results.base.errors import InfrastructureError, UsageError
from results.base.strict import Strict
from results.cost.records import Note, PerfRecord, Series
from results.records import Conditions, Verdict
from results.statistics import differing
from results.text import percent, plural

FLOOR = 0.01
SIGMAS = 4.0
BEFORE = 3
SHOWN = 100
"""Runs of a series that are looked at, the newest ones."""


class Entry(Strict):
    """One line: one run."""

    schema_version: Literal[1] = 1
    id: str
    started: str
    git_commit: str
    verdict: Verdict
    conditions: Conditions
    images: dict[str, str]
    measures: dict[str, tuple[float, float]]
    """Name to the medians of baseline and hardened."""


def entry(record: PerfRecord) -> Entry | None:
    """The line of a run; None for one that measured nothing or does not know under what conditions."""
    if record.conditions is None or not record.measures:
        return None
    return Entry(
        id=record.id,
        started=record.started,
        git_commit=record.git_commit,
        verdict=record.verdict,
        conditions=record.conditions,
        images=record.images,
        measures={
            one.name: (one.median_baseline, one.median_hardened) for one in record.measures if one.verdict != "void"
        },
    )


def append(path: Path, one: Entry) -> None:
    """Add a line, whole: one write to a file opened for appending. Raises `InfrastructureError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        line = (json.dumps(one.model_dump(mode="json"), allow_nan=False) + "\n").encode()
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.write(file, line)
        finally:
            os.close(file)
    except OSError as error:
        raise InfrastructureError(f"{path}: {error.strerror}", "is there room, and may we write there?") from None


def read(path: Path) -> list[Entry]:
    """Every run so far, oldest first; none where there is no file. Raises `UsageError` that names a wrong line."""
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            found.append(Entry.model_validate_json(line))
        except ValidationError as error:
            what = error.errors()[0]["msg"]
            raise UsageError(f"{path}:{number}: not a line of the history: {what}", "take that line out") from None
    return found


def change_point(values: Sequence[float]) -> int | None:
    """Index of the first value after the change; None where there is none that stands out."""
    best: tuple[float, int] | None = None
    for at in range(BEFORE, len(values)):
        left, right = values[:at], values[at:]
        loss = sum(abs(one - statistics.median(part)) for part in (left, right) for one in part)
        if best is None or loss < best[0]:
            best = (loss, at)
    if best is None:
        return None
    parts = values[: best[1]], values[best[1] :]
    before, after = (statistics.median(part) for part in parts)
    rest = [abs(one - statistics.median(part)) for part in parts for one in part]
    shift = abs(after - before)
    if before <= 0 or shift <= FLOOR * before or shift <= SIGMAS * 1.4826 * statistics.median(rest):
        return None
    return best[1]


def look_back(former: Sequence[Entry], newest: Entry) -> tuple[tuple[Note, ...], tuple[Series, ...]]:
    """What the history says to the newest run: notes, and the series of every measure under the same conditions."""
    if not former:
        return (Note(text="The first run in the history: nothing to compare with."),), ()
    alike = [one for one in former if one.conditions == newest.conditions]
    notes: list[Note] = []
    if former[-1].conditions != newest.conditions:
        why = ", ".join(differing(former[-1].conditions, newest.conditions))
        notes.append(Note(text=f"No verdict against the last run, {former[-1].id}: other conditions: {why}."))
    if not alike:
        return tuple(notes), ()
    notes.append(Note(text=f"Compared with {plural(len(alike), 'earlier run')} under the same conditions."))
    series = tuple(_series([*alike, newest][-SHOWN:]))
    notes += [Note(measure=one.name, text=_told(one)) for one in series if one.changed_at is not None]
    return tuple(notes), series


def _series(runs: Sequence[Entry]) -> Iterator[Series]:
    for name in runs[-1].measures:
        points = [(one.id, one.measures[name][1]) for one in runs if name in one.measures]
        values = tuple(value for _, value in points)
        yield Series(name=name, runs=tuple(run for run, _ in points), values=values, changed_at=change_point(values))


def _told(one: Series) -> str:
    at = one.changed_at or 0
    before, after = statistics.median(one.values[:at]), statistics.median(one.values[at:])
    alone = " (the newest run alone: one more will tell)" if at == len(one.values) - 1 else ""
    change = percent(after / before - 1)
    return f"{one.name}: hardened {before:.5g} to {after:.5g} ({change}) from run {one.runs[at]} on{alone}"
