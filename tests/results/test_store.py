"""Run folders: whole, unique, swapped in one step; and read back without trust."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.base.errors import InfrastructureError, UsageError
from results.records import Findings, RunRecord, StepRecord, Verdict
from results.store import as_json, create, load_run, previous_durations, read_record, write_whole

NOON = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)


def test_new_run_says_killed_until_it_is_finished(tmp_path: Path) -> None:
    run = create(tmp_path, "debian-trixie", "reference", now=NOON)
    assert run.path.name == "20300102T120000Z-debian-trixie"
    stored = load_run(run.path).record
    assert (stored.verdict, stored.exit_code, stored.complete) == (Verdict.KILLED, 3, False)
    run.finish(run.record.model_copy(update={"verdict": Verdict.PASS, "complete": True}))
    assert load_run(tmp_path / "latest").record.verdict is Verdict.PASS
    assert run.path.stat().st_mode & 0o777 == 0o755
    assert (run.path / "run.json").stat().st_mode & 0o777 == 0o644


def test_runs_of_one_second_get_folders_of_their_own(tmp_path: Path) -> None:
    made: list[Path] = []

    def one() -> None:
        made.append(create(tmp_path, "t", "w", now=NOON).path)

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 12
    assert all(load_run(path).record.id == path.name for path in made)
    assert sorted(one.name for one in tmp_path.iterdir() if one.name.startswith(".")) == []


def test_target_cannot_leave_the_folder(tmp_path: Path) -> None:
    assert create(tmp_path, "../../etc/x", "w").path.parent == tmp_path


def test_a_folder_called_latest_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    with pytest.raises(InfrastructureError, match="not our link"):
        create(tmp_path, "t", "w")


def test_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    file = write_whole(tmp_path / "a", "old")
    with pytest.raises(InfrastructureError):
        write_whole(file / "b", "new")
    assert file.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_numbers_that_json_cannot_hold_are_refused() -> None:
    with pytest.raises(InfrastructureError, match="JSON"):
        as_json({"a": float("nan")})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "not a record"),
        ("[" * 100_000, "not JSON"),
        ('{"schema_version": 7}', "schema version 7"),
        ('{"schema_version": 1, "colour": "red"}', "colour"),
        ('{"peak_memory": NaN}', "NaN"),
        ('{"peak_memory": 1e999}', "1e999"),
        ("1" * 5000, "not JSON"),
    ],
)
def test_bad_record_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(UsageError, match=said) as caught:
        load_run(tmp_path)
    assert "run.json" in caught.value.what


def link(folder: Path) -> None:
    (folder / "run.json").symlink_to("/etc/hostname")


def device(folder: Path) -> None:
    (folder / "run.json").mkdir()


def nothing(folder: Path) -> None:
    pass


@pytest.mark.parametrize("make", [link, device, nothing])
def test_no_link_is_followed_and_no_odd_file_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path)
    with pytest.raises(UsageError):
        load_run(tmp_path)


def test_missing_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such run"):
        load_run(tmp_path / "x")


def test_stages_are_found_by_folder(tmp_path: Path) -> None:
    run = create(tmp_path, "t", "w")
    key = {"target": "t", "variant": "baseline", "phase": "after", "boot_id": "b"}
    run.stage("baseline", "after", "findings.json", Findings.model_validate({"key": key, "findings": ()}))
    run.stage("baseline", "after", "facts.json", {"x": 1})
    stored = load_run(run.path)
    assert stored.before is None
    assert stored.after is not None
    assert stored.after.facts
    assert stored.after.findings is not None
    assert stored.files["baseline/after/facts.json"] > 0


def test_durations_come_from_finished_runs_of_the_target(tmp_path: Path) -> None:
    def stored(second: int, seconds: float, *, complete: bool, target: str = "t") -> None:
        run = create(tmp_path, target, "w", now=NOON.replace(second=second))
        steps = (
            StepRecord(name="boot", started="", seconds=seconds),
            StepRecord(name="x", started="", seconds=1, failed=True),
        )
        run.finish(run.record.model_copy(update={"steps": steps, "complete": complete}))

    stored(1, 10, complete=True)
    stored(2, 20, complete=True)
    stored(3, 30, complete=False)
    stored(4, 40, complete=True, target="other")
    (tmp_path / "zzz").mkdir()
    (tmp_path / "zzz" / "run.json").write_text("broken")
    assert previous_durations(tmp_path, "t") == {"boot": 20}
    assert previous_durations(tmp_path) == {"boot": 40}
    assert previous_durations(tmp_path / "nowhere") == {}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=80)
@given(st.dictionaries(st.sampled_from([*RunRecord.model_fields, "else"]), json_values, max_size=6))
def test_anything_in_a_record_ends_in_a_usage_error_or_a_record(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "run.json"
    path.write_text(json.dumps(data))
    with contextlib.suppress(UsageError):
        assert isinstance(read_record(path, RunRecord), RunRecord)
