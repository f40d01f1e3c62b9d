"""Costs against the last signed run: which run that is, and what is said of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from results.attest.keys import generate, private_key, public_key
from results.attest.statement import sign
from results.base.errors import UsageError
from results.cost import signed
from results.cost.folder import FILE
from results.cost.records import PerfMeasure, PerfRecord
from results.records import Conditions, Verdict
from results.store import as_json

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
HERE = Conditions(accelerator="tcg", clock="deterministic", cpus=1, benchmark_version=2, host="one, 6.1, QEMU 7.2")
TARGET = str(json.loads((FIXTURES / "fail" / "run.json").read_text())["target"])


def measure(name: str, hardened: float) -> PerfMeasure:
    return PerfMeasure(
        name=name,
        title=name,
        part="bus",
        unit="µs",
        baseline=((600.0,),),
        hardened=((hardened,),),
        median_baseline=600.0,
        median_hardened=hardened,
        change=hardened / 600 - 1,
        interval=None,
        control=0.004,
        noise=0.005,
        spread=0.001,
        budget=0.2,
        limit=None,
        verdict="within budget",
    )


def record(*measures: PerfMeasure, conditions: Conditions = HERE, run: str = "perf-1") -> PerfRecord:
    return PerfRecord(
        id=run,
        target=TARGET,
        workload="reference",
        started="2026-01-01T00:00:00Z",
        verdict=Verdict.PASS,
        conditions=conditions,
        measures=measures,
    )


@pytest.fixture
def key(tmp_path: Path) -> Path:
    generate(tmp_path / "key")
    return tmp_path / "key"


def signed_run(runs: Path, name: str, key: Path, perf: PerfRecord | None) -> Path:
    folder = runs / name
    shutil.copytree(FIXTURES / "fail", folder)
    if perf is not None:
        (folder / FILE).write_text(as_json(perf))
    sign(folder, private_key(key), even_failed=True)
    return folder


def test_the_newest_that_holds_is_taken_and_the_others_are_told(tmp_path: Path, key: Path) -> None:
    runs = tmp_path / "runs"
    signed_run(runs, "20260101", key, record(measure("bus.ping", 700), run="oldest"))
    signed_run(runs, "20260102", key, record(measure("bus.ping", 710), run="older"))
    with (signed_run(runs, "20260103", key, record(measure("bus.ping", 1))) / FILE).open("a") as file:
        file.write(" ")
    signed_run(runs, "20260104", key, None)
    shutil.copytree(FIXTURES / "fail", runs / "20260105")  # nobody has signed it
    (runs / "latest").symlink_to("20260101")
    found, notes = signed.last_signed(runs, TARGET, public_key(key.with_name("key.pub")))
    assert found is not None
    assert (found.id, found.measures["bus.ping"]) == ("older", (600.0, 710.0))
    assert [note.text.partition(": ")[2] for note in notes] == [
        "it was signed without perf.json.",
        "changed: perf.json.",
    ]


def test_another_key_or_target_is_no_release_of_ours(tmp_path: Path, key: Path) -> None:
    signed_run(tmp_path / "runs", "20260101", key, record(measure("bus.ping", 700)))
    generate(tmp_path / "other")
    found, notes = signed.last_signed(tmp_path / "runs", TARGET, public_key(tmp_path / "other.pub"))
    assert (found, len(notes), "signature" in notes[0].text) == (None, 1, True)
    assert signed.last_signed(tmp_path / "runs", "another", public_key(key.with_name("key.pub"))) == (None, ())
    assert signed.last_signed(tmp_path / "nothing", TARGET, public_key(key.with_name("key.pub"))) == (None, ())


def test_what_has_changed_beyond_noise_is_told(tmp_path: Path, key: Path) -> None:
    signed_run(tmp_path / "runs", "1", key, record(measure("bus.ping", 700), measure("file.open", 700), run="release"))
    found, _ = signed.last_signed(tmp_path / "runs", TARGET, public_key(key.with_name("key.pub")))
    assert found is not None
    same, *changed = signed.compare(found, record(measure("bus.ping", 735), measure("file.open", 703)))
    assert (
        same.text
        == "Since the last signed run, release: 1 of 2 measures have changed beyond noise on the hardened machine."
    )
    assert [(note.measure, note.text) for note in changed] == [
        ("bus.ping", "bus.ping: hardened 700 to 735 (+5.0 %) since release")
    ]
    (only,) = signed.compare(found, record(measure("bus.ping", 701)))
    assert "nothing has changed beyond noise" in only.text


def test_other_conditions_are_no_verdict(tmp_path: Path, key: Path) -> None:
    signed_run(tmp_path / "runs", "1", key, record(measure("bus.ping", 700), run="release"))
    found, _ = signed.last_signed(tmp_path / "runs", TARGET, public_key(key.with_name("key.pub")))
    assert found is not None
    elsewhere = HERE.model_copy(update={"host": "two, 6.1, QEMU 7.2"})
    (only,) = signed.compare(found, record(measure("bus.ping", 900), conditions=elsewhere))
    assert only.text.startswith("No verdict against the last signed run, release: other conditions: host (")


def test_a_record_that_cannot_be_read_is_passed_over(tmp_path: Path, key: Path) -> None:
    folder = signed_run(tmp_path / "runs", "1", key, record(measure("bus.ping", 700)))
    (folder / "link").symlink_to("/etc/passwd")
    found, notes = signed.last_signed(tmp_path / "runs", TARGET, public_key(key.with_name("key.pub")))
    assert (found, "link" in notes[0].text) == (None, True)


def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.pub").write_text("x")
    with pytest.raises(UsageError):
        public_key(tmp_path / "bad.pub")
