"""Costs against the last release (see `results.release`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from results import release
from results.cost.folder import FILE
from results.cost.history import FLOOR, Entry
from results.cost.history import entry as entry_of
from results.cost.records import Note, PerfMeasure, PerfRecord
from results.statistics import differing
from results.store import read_record
from results.text import percent


def last_signed(runs: Path, target: str, key: Ed25519PublicKey) -> tuple[Entry | None, tuple[Note, ...]]:
    """Costs of the last signed run that has some, and why newer signed ones were passed over.

    A run has costs where `perf --run` has joined them to it before it was signed.
    """
    found = release.last_signed(runs, target, key, holding=FILE)
    notes = tuple(Note(text=f"{one[0].upper()}{one[1:]}.") for one in found.passed_over)
    return None if found.run is None else entry_of(read_record(found.run.folder / FILE, PerfRecord)), notes


def compare(signed: Entry, record: PerfRecord) -> Iterator[Note]:
    """What has become dearer or cheaper since the signed run, beyond the noise that each measure showed."""
    if record.conditions is None or signed.conditions != record.conditions:
        why = ", ".join(differing(signed.conditions, record.conditions)) if record.conditions else "none known"
        yield Note(text=f"No verdict against the last signed run, {signed.id}: other conditions: {why}.")
        return
    changed = [note for one in record.measures if (note := _changed(signed, one)) is not None]
    same = "nothing has changed" if not changed else f"{len(changed)} of {len(record.measures)} measures have changed"
    yield Note(text=f"Since the last signed run, {signed.id}: {same} beyond noise on the hardened machine.")
    yield from changed


def _changed(signed: Entry, one: PerfMeasure) -> Note | None:
    former = signed.measures.get(one.name)
    if former is None or one.verdict == "void" or former[1] <= 0:
        return None
    change = one.median_hardened / former[1] - 1
    if abs(change) <= max(FLOOR, one.noise, one.control or 0.0):
        return None
    told = f"{one.name}: hardened {former[1]:.5g} to {one.median_hardened:.5g} ({percent(change)}) since {signed.id}"
    return Note(measure=one.name, text=told)
