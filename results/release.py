"""The last release: the newest run that is signed with a given key and still is what was signed; what changed since.

What would be released is the hardened image, so that is what is compared: each control's and each probe's outcome.
Costs are compared by `perf` (`results/cost/signed.py`), under conditions that make them comparable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from results.attest.files import STATEMENT
from results.attest.statement import check
from results.base.errors import UsageError
from results.compare import ABSENT
from results.records import Finding, ProbeResult, Release, Turn
from results.store import StoredRun, load_run
from results.text import one_line


@dataclass(frozen=True)
class Found:
    """The last signed run, if there is one, and why newer signed ones were passed over."""

    run: StoredRun | None
    passed_over: tuple[str, ...] = ()


def last_signed(runs: Path, target: str, key: Ed25519PublicKey, *, holding: str = "run.json") -> Found:
    """The newest run of `target` below `runs` that holds against `key` and has the file `holding`."""
    notes: list[str] = []
    for folder in sorted(runs.glob("*/"), reverse=True):  # their names begin with the time
        if folder.is_symlink() or not (folder / STATEMENT).is_file():
            continue
        try:
            statement, wrong = check(folder, key)
            if target != statement.run.target:
                continue
            if not wrong and holding in {one.path for one in statement.run.files}:
                return Found(load_run(folder), tuple(notes))
            why = wrong[0] if wrong else f"it was signed without {holding}"
        except UsageError as error:
            why = error.what
        notes.append(f"signed run {folder.name} is not compared with: {one_line(why)}")
    return Found(None, tuple(notes))


def since(found: Found, findings: Sequence[Finding], probes: Sequence[ProbeResult]) -> Release:
    """What has changed on the hardened image. Pure."""
    if found.run is None:
        return Release(run="", notes=(*found.passed_over, "there is no signed run to compare with"))
    before = found.run.baked
    return Release(
        run=found.run.record.id,
        started=found.run.record.started,
        controls=_changed(
            {one.control: str(one.outcome) for one in (before.findings.findings if before and before.findings else ())},
            {one.control: str(one.outcome) for one in findings},
        ),
        probes=_changed(
            {one.id: str(one.outcome) for one in (before.probes.probes if before and before.probes else ())},
            {one.id: str(one.outcome) for one in probes},
        ),
        notes=found.passed_over,
    )


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Turn, ...]:
    return tuple(
        Turn(name=name, before=before.get(name, ABSENT), after=after.get(name, ABSENT))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )
