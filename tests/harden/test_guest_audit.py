"""The audit's own parts: hostile older results, files made safely, exit status."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from harden.guest import auditing, security_audit
from harden.guest.system import RefusedError


def finding(control: str, outcome: str, severity: str = "high") -> dict[str, Any]:
    return {"control": control, "outcome": outcome, "severity": severity}


@pytest.mark.parametrize(
    ("outcome", "severity", "status"),
    [
        ("pass", "critical", 0),
        ("warn", "critical", 0),
        ("fail", "low", 1),
        ("error", "medium", 1),
        ("fail", "high", 2),
        ("error", "critical", 3),
    ],
)
def test_exit_status(outcome: str, severity: str, status: int) -> None:
    assert auditing.exit_status([finding("a", "pass"), finding("b", outcome, severity)]) == status


HOSTILE = [
    b"",
    b"\xff\xfe",
    b"[" * 200_000,
    b"null",
    b'{"schema": 2, "findings": []}',
    b'{"schema": 1, "findings": {}}',
    b'{"schema": 1, "findings": [7]}',
    b'{"schema": 1, "findings": [{"control": ["x"], "outcome": "pass"}]}',
    b'{"schema": 1, "findings": [{"control": "\\u001b[2J", "outcome": "pass"}]}',
    b'{"schema": 1, "findings": [{"control": "x", "outcome": ["pass"]}]}',
    b'{"schema": 1, "findings": [{"control": "x", "outcome": "fine"}]}',
    b'{"schema": 1, "findings": [{"control": "x", "outcome": "pass"}, {"control": "x", "outcome": "fail"}]}',
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_older_result_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "old.json"
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=r"old\.json: .*audit"):
        auditing.load_older(path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RefusedError, match="is no file"):
        auditing.load_older(tmp_path / "pipe")


def test_changes_tell_what_came_and_went(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    findings = [finding("a", "pass"), finding("b", "pass"), finding("gone", "fail")]
    path.write_text(json.dumps({"schema": 1, "findings": findings}), encoding="utf-8")
    newer = [finding("a", "pass"), finding("b", "fail"), finding("new", "pass")]
    told = [(one["control"], one["before"], one["after"]) for one in auditing.changes(auditing.load_older(path), newer)]
    assert told == [("b", "pass", "fail"), ("gone", "fail", "-"), ("new", "-", "pass")]


def test_a_link_in_the_report_folder_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="ascii")
    for name, target in (("link", victim), ("dangling", tmp_path / "nowhere")):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(RefusedError, match="does not exist"):
            auditing.create(tmp_path / name, b"x")
    assert victim.read_text(encoding="ascii") == "precious"
    assert not (tmp_path / "nowhere").exists()


def test_a_report_is_its_owners_alone(tmp_path: Path) -> None:
    auditing.create(tmp_path / "report", b"x")
    assert (tmp_path / "report").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_leaves_no_half_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RefusedError, match="No space left"):
        auditing.create(tmp_path / "report", b"x")
    assert not (tmp_path / "report").exists()


def test_names_cannot_be_guessed() -> None:
    assert auditing.report_name(0) != auditing.report_name(0)
    assert auditing.report_name(0).startswith("dots-family-security-audit-19700101T000000Z-")


@pytest.mark.parametrize("words", [["--nonsense"], ["--against", "/nonexistent.json"]])
def test_trouble_never_looks_like_a_severity(words: list[str]) -> None:
    assert security_audit.main(words) == auditing.COULD_NOT
