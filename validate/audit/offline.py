"""Judging stored facts again, with newer checks or none of the host's tools: files in, findings out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from validate.audit.judge import CheckLike, judge


def load_checks(path: Path) -> list[CheckLike]:
    """Checks that were stored as a JSON list (as in the hardening bundle). Raises `OSError` or `ValueError`."""
    stored = json.loads(path.read_bytes())
    if not isinstance(stored, list) or not all(isinstance(check, dict) for check in stored):
        raise ValueError(f"{path}: no list of checks")
    return stored


def judge_file(facts_path: Path, checks: Iterable[CheckLike]) -> list[dict[str, Any]]:
    """Judge a facts.json. Raises `OSError` or `ValueError`; shapes are the caller's to check (`load_facts`)."""
    facts = json.loads(facts_path.read_bytes())
    if not isinstance(facts, dict):
        raise ValueError(f"{facts_path}: no facts")  # noqa: TRY004 - what a file holds is a value
    return judge(checks, facts)
