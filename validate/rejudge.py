"""Judges a finished run's facts once more with the checks that it was judged with: the findings must be the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harden.check import Check
from results.base.errors import UsageError
from results.base.strict import load_json
from results.records import Findings
from results.store import read_record
from validate.audit.judge import judge
from validate.facts.schema import load_facts

CHECKS = "checks.json"


def as_document(checks: Iterable[Check]) -> dict[str, Any]:
    """What `checks.json` holds."""
    return {"schema_version": 1, "checks": [check.to_json() for check in checks]}


def load_checks_document(path: Path) -> dict[str, Any]:
    """`checks.json` as it lies there. Raises `UsageError`."""
    document: dict[str, Any] = load_json(path, dict[str, Any])
    return document


def load_checks(path: Path) -> list[dict[str, Any]]:
    """Read `checks.json` as what the judge takes. Raises `UsageError`."""
    data: Any = load_json(path, Any)
    try:
        if data["schema_version"] != 1:
            raise UsageError(f"{path}: schema {data['schema_version']!r}", "a newer version of this tool wrote it")
        return [asdict(Check.from_json(one)) for one in data["checks"]]
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path}: these are no checks: {error}", "the file is written by `validate`") from None


def differences(folder: Path) -> Iterator[str]:
    """Every finding that does not follow from the run's own facts and checks; nothing where the run has none."""
    if not (folder / CHECKS).is_file():
        return
    checks = load_checks(folder / CHECKS)
    for path in sorted(folder.glob("*/*/findings.json")):
        facts = path.with_name("facts.json")
        where = f"{path.parent.parent.name}/{path.parent.name}"
        if not facts.is_file():
            yield f"{where}: findings without the facts that they were judged from"
            continue
        stored = {one.control: str(one.outcome) for one in read_record(path, Findings).findings}
        judged = {str(one["control"]): str(one["outcome"]) for one in judge(checks, load_facts(facts))}
        yield from _told(where, stored, judged)


def _told(where: str, stored: Mapping[str, str], judged: Mapping[str, str]) -> Iterator[str]:
    for control in sorted(stored.keys() | judged.keys()):
        left, right = stored.get(control, "absent"), judged.get(control, "absent")
        if left != right:
            yield f"{where}: {control}: the run says {left}, its facts say {right}"
