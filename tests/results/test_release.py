"""The last signed run, and what has changed since."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from results.attest.keys import generate, private_key, public_key
from results.attest.statement import sign
from results.records import Outcome, Turn
from results.release import Found, last_signed, since
from results.store import load_run

FIXTURE = Path(__file__).with_name("fixtures") / "fail"
TARGET = "debian-trixie"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    generate(tmp_path / "key")
    return tmp_path / "key"


def signed(runs: Path, name: str, key: Path) -> Path:
    shutil.copytree(FIXTURE, runs / name)
    sign(runs / name, private_key(key), even_failed=True)
    return runs / name


def public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def test_the_newest_that_holds_is_the_release(tmp_path: Path, key: Path) -> None:
    runs = tmp_path / "runs"
    signed(runs, "20260101", key)
    (signed(runs, "20260102", key) / "run.json").write_text("{")
    (signed(runs, "20260103", key) / "attestation.json").write_text("{")
    shutil.copytree(FIXTURE, runs / "20260104")  # nobody has signed it
    (runs / "latest").symlink_to("20260102")
    found = last_signed(runs, TARGET, public_key(public(key)))
    assert found.run is not None
    assert found.run.folder.name == "20260101"
    assert [one.partition(" is not")[0] for one in found.passed_over] == ["signed run 20260103", "signed run 20260102"]
    assert "changed: run.json" in found.passed_over[1]


def test_another_target_key_or_place_has_none(tmp_path: Path, key: Path) -> None:
    runs = tmp_path / "runs"
    signed(runs, "20260101", key)
    assert last_signed(runs, "debian-bookworm", public_key(public(key))) == Found(None)
    assert last_signed(tmp_path / "nothing", TARGET, public_key(public(key))) == Found(None)
    generate(tmp_path / "other")
    found = last_signed(runs, TARGET, public_key(tmp_path / "other.pub"))
    assert (found.run, "the signature is not of this key" in found.passed_over[0]) == (None, True)


def test_every_other_outcome_is_told(tmp_path: Path, key: Path) -> None:
    signed(tmp_path / "runs", "20260101", key)
    found = last_signed(tmp_path / "runs", TARGET, public_key(public(key)))
    baked = load_run(FIXTURE).baked
    assert baked is not None
    assert baked.findings is not None
    assert baked.probes is not None
    same = since(found, baked.findings.findings, baked.probes.probes)
    assert (same.run, same.controls, same.probes) == (json.loads((FIXTURE / "run.json").read_text())["id"], (), ())
    first, *rest = baked.findings.findings
    other = Outcome.FAIL if first.outcome is Outcome.PASS else Outcome.PASS
    told = since(found, [first.model_copy(update={"outcome": other}), *rest], baked.probes.probes[1:])
    assert told.controls == (Turn(name=first.control, before=str(first.outcome), after=str(other)),)
    gone = baked.probes.probes[0]
    assert told.probes == (Turn(name=gone.id, before=str(gone.outcome), after="(absent)"),)


def test_no_release_says_so() -> None:
    told = since(Found(None, ("signed run x is not compared with: changed: run.json",)), (), ())
    assert (told.run, told.notes[-1]) == ("", "there is no signed run to compare with")
