"""Costs against the last release: the newest run that is signed with a given key and still is what was signed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from results.attest.files import STATEMENT
from results.attest.statement import check
from results.base.errors import UsageError
from results.cost.folder import FILE
from results.cost.history import FLOOR, Entry
from results.cost.history import entry as entry_of
from results.cost.records import Note, PerfMeasure, PerfRecord
from results.statistics import differing
from results.store import read_record
from results.text import one_line, percent


def last_signed(runs: Path, target: str, key: Ed25519PublicKey) -> tuple[Entry | None, tuple[Note, ...]]:
    """Costs of the newest run of `target` below `runs` that holds against `key`, and why newer ones were passed over.

    A run has costs where `perf --run` has joined them to it before it was signed.
    """
    notes: list[Note] = []
    for folder in sorted(runs.glob("*/"), reverse=True):  # their names begin with the time
        if folder.is_symlink() or not (folder / STATEMENT).is_file():
            continue
        try:
            statement, wrong = check(folder, key)
            if target not in statement.predicate.targets:
                continue
            if not wrong and FILE in {one.path for one in statement.subject}:
                return entry_of(read_record(folder / FILE, PerfRecord)), tuple(notes)
            why = one_line(wrong[0]) if wrong else "it was signed without costs (`perf --run` joins them)"
        except UsageError as error:
            why = one_line(error.what)
        notes.append(Note(text=f"Signed run {folder.name} is not compared with: {why}"))
    return None, tuple(notes)


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
