"""run.json tells the truth about how a run ended, whatever that was."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from results.base.errors import Interrupted, UsageError
from results.base.events import Events
from results.records import BootRecord, Variant, Verdict
from results.store import create, load_run
from validate.recorder import Recorder


def test_a_run_says_that_it_was_killed_until_it_says_otherwise(tmp_path: Path) -> None:
    folder = create(tmp_path, "debian-trixie", "reference")
    assert load_run(folder.path).record.verdict is Verdict.KILLED
    assert not load_run(folder.path).record.complete


def test_steps_are_kept_with_their_seconds_and_failures(tmp_path: Path) -> None:
    folder = create(tmp_path, "debian-trixie", "reference")
    recorder = Recorder()
    events = Events(recorder)
    with events.step("first"):
        pass

    def second() -> None:
        with events.step("second"):
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        second()
    recorder.finish(folder, Verdict.NONE, ("it broke",), 3, "no")
    record = load_run(folder.path).record
    assert [(step.name, step.failed) for step in record.steps] == [("first", False), ("second", True)]
    assert all(step.started.endswith("Z") for step in record.steps)
    assert all(step.cpu is not None for step in record.steps)
    assert (record.verdict, record.complete, record.exit_code) == (Verdict.NONE, False, 3)


def test_idle_is_what_the_outer_steps_waited(tmp_path: Path) -> None:
    folder = create(tmp_path, "debian-trixie", "reference")
    recorder = Recorder()
    events = Events(recorder)
    with events.step("outer"), events.step("inner"):
        time.sleep(0.1)
    record = recorder.finish(folder, Verdict.PASS, (), 0)
    assert record.idle is not None
    assert 0.5 <= record.idle <= 1
    assert Recorder().finish(folder, Verdict.PASS, (), 0).idle is None


def test_steps_of_two_threads_keep_apart_and_idle_counts_no_time_twice(tmp_path: Path) -> None:
    folder = create(tmp_path, "debian-trixie", "reference")
    recorder = Recorder()
    events = Events(recorder)

    def work(name: str, seconds: float) -> None:
        with events.step(name), events.step(f"{name}, within"):
            time.sleep(seconds)

    started = time.monotonic()
    threads = [threading.Thread(target=work, args=one) for one in (("long", 0.2), ("short", 0.1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    took = time.monotonic() - started
    record = recorder.finish(folder, Verdict.PASS, (), 0)
    assert {step.name for step in record.steps} == {"long", "long, within", "short", "short, within"}
    assert recorder._spanned <= took
    assert record.idle is not None
    assert 0.5 <= record.idle <= 1


def test_boots_are_told_machine_by_machine(tmp_path: Path) -> None:
    folder = create(tmp_path, "debian-trixie", "reference")
    recorder = Recorder()
    order: list[tuple[Variant, str]] = [("hardened", "c"), ("baseline", "a"), ("hardened", "d"), ("baseline", "b")]
    for variant, name in order:
        recorder.boots[variant].append(boot(name))
    assert [one.boot_id for one in recorder.finish(folder, Verdict.PASS, (), 0).boots] == ["a", "b", "c", "d"]


def boot(boot_id: str) -> BootRecord:
    return BootRecord(
        boot_id=boot_id,
        accelerator="tcg",
        accelerator_reason="",
        command=(),
        seconds_to_console_ready=1,
        seconds_to_ready=1,
        system_state="running",
    )


def test_a_verdict_makes_a_run_complete(tmp_path: Path) -> None:
    folder = create(tmp_path, "debian-trixie", "reference")
    record = Recorder().finish(folder, Verdict.FAIL, ("a control",), 1)
    assert record.complete
    assert record.peak_memory > 1 << 20
    assert load_run(folder.path).record == record


def test_a_run_that_breaks_off_has_no_verdict_and_says_why(tmp_path: Path) -> None:
    folder = create(tmp_path, "debian-trixie", "reference")
    with pytest.raises(UsageError), Recorder().recording(folder):
        raise UsageError("bad words", "better ones")
    record = load_run(folder.path).record
    assert (record.verdict, record.exit_code, record.complete) == (Verdict.NONE, 2, False)
    assert "bad words" in record.error


def test_an_interrupted_run_says_so(tmp_path: Path) -> None:
    folder = create(tmp_path, "debian-trixie", "reference")
    with pytest.raises(Interrupted), Recorder().recording(folder):
        raise Interrupted("SIGTERM")
    record = load_run(folder.path).record
    assert (record.verdict, record.exit_code, record.error) == (Verdict.KILLED, 3, "SIGTERM")
