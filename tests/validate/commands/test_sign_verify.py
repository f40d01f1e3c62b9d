"""Signing and verifying a run: every change is named, and a hostile folder is refused without being followed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from results.attest.files import digests
from results.attest.keys import generate, private_key, public_key
from results.attest.statement import check, sign
from results.base.errors import UsageError

FIXTURES = Path(__file__).resolve().parents[2] / "results" / "fixtures"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    generate(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def signed(tmp_path: Path, key: Path) -> Path:
    folder = tmp_path / "run"
    shutil.copytree(FIXTURES / "fail", folder)
    sign(folder, private_key(key), even_failed=True)
    return folder


def wrong(folder: Path, key: Path) -> tuple[str, ...]:
    return check(folder, public_key(key.with_name("key.pub")))[1]


def test_signed_as_it_is_and_a_failed_run_says_so(signed: Path, key: Path) -> None:
    assert wrong(signed, key) == ()
    assert json.loads((signed / "attestation.json").read_text())["predicate"]["dotsFamily"]["signed_although_failed"]


def test_it_is_a_statement_that_others_can_read(signed: Path) -> None:
    told = json.loads((signed / "attestation.json").read_text())
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    run = json.loads((signed / "run.json").read_text())
    wanted = {
        f"{run['target']}-{name}": image["sha256"].removeprefix("sha256:") for name, image in run["images"].items()
    }
    assert {one["name"]: one["digest"]["sha256"] for one in told["subject"]} == wanted
    predicate = told["predicate"]
    assert predicate["result"] == "FAILED"
    findings = json.loads((signed / "hardened" / "after" / "findings.json").read_text())["findings"]
    failed = {f"control:{one['control']}" for one in findings if one["outcome"] in ("fail", "error")}
    assert failed <= set(predicate["failedTests"]) | set(predicate["warnedTests"])
    passed = {f"control:{one['control']}" for one in findings if one["outcome"] == "pass"}
    assert passed <= set(predicate["passedTests"])
    every = [name for kind in ("passedTests", "warnedTests", "failedTests") for name in predicate[kind]]
    assert len(every) == len(set(every))
    assert {one["path"] for one in predicate["dotsFamily"]["files"]} == digests(signed).keys()


def test_each_changed_missing_and_extra_file_is_named(signed: Path, key: Path) -> None:
    (signed / "transcript.jsonl").write_text("x")
    (signed / "comparison.json").unlink()
    (signed / "new").write_text("x")
    assert set(wrong(signed, key)) == {"changed: transcript.jsonl", "missing: comparison.json", "extra: new"}


def test_failed_and_killed_runs_are_not_signed_just_so(tmp_path: Path, key: Path) -> None:
    with pytest.raises(UsageError, match="verdict is fail"):
        sign(FIXTURES / "fail", private_key(key), even_failed=False)
    with pytest.raises(UsageError, match="not complete"):
        sign(FIXTURES / "killed", private_key(key), even_failed=True)


def test_links_traversal_and_another_key(signed: Path, key: Path, tmp_path: Path) -> None:
    generate(tmp_path / "other")
    assert "signature" in check(signed, public_key(tmp_path / "other.pub"))[1][0]
    statement = signed / "attestation.json"
    statement.write_text(statement.read_text().replace('"run.json"', '"../../etc/passwd"'))
    with pytest.raises(UsageError, match="passwd"):
        wrong(signed, key)
    (signed / "link").symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match="link: not a regular file"):
        digests(signed)


def test_a_private_key_that_others_can_read(key: Path) -> None:
    key.chmod(0o644)
    with pytest.raises(UsageError) as caught:
        private_key(key)
    assert "chmod 600" in caught.value.hint


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200), signature=st.binary(max_size=100))
def test_any_attestation_is_refused_or_wrong(signed: Path, key: Path, body: bytes, signature: bytes) -> None:
    (signed / "attestation.sig").write_bytes(signature)
    assert wrong(signed, key)
    whole = (signed / "attestation.json").read_bytes()
    try:
        (signed / "attestation.json").write_bytes(body)
        with pytest.raises(UsageError):
            wrong(signed, key)
    finally:
        (signed / "attestation.json").write_bytes(whole)
