"""The door to subprocess: output, status, time-outs, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from results.base.errors import InfrastructureError
from results.base.events import Event, Events
from results.base.process import run


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_output_status_and_a_line_that_can_be_pasted() -> None:
    seen: list[Event] = []
    done = run(["printf", "%s", "a b"], events=Events(seen.append), env={"LC_ALL": "C"})
    assert (done.text, done.status) == ("a b", 0)
    assert seen[0].text == "LC_ALL=C printf %s 'a b'"


def test_an_ordinary_users_path_is_enough() -> None:
    done = run(["sh", "-c", "echo $PATH"], events=Events(), env={"PATH": "/usr/bin:/bin"})
    assert done.text.strip() == "/usr/bin:/bin:/usr/sbin:/sbin"


def test_failure_quotes_the_last_lines() -> None:
    with pytest.raises(InfrastructureError, match="exit status 3") as caught:
        run(["sh", "-c", "echo broken pipe dream >&2; exit 3"], events=Events(), hint="mend it")
    assert "broken pipe dream" in str(caught.value)
    assert caught.value.hint == "mend it"


def test_a_missing_program_names_the_doctor() -> None:
    with pytest.raises(InfrastructureError, match="not found") as caught:
        run(["no-such-program-here"], events=Events())
    assert "doctor" in caught.value.hint


def test_a_megabyte_on_both_streams() -> None:
    script = "import sys; sys.stdout.write('o' * 2**20); sys.stderr.write('e' * 2**20)"
    done = run([sys.executable, "-c", script], events=Events())
    assert (len(done.stdout), len(done.stderr)) == (2**20, 2**20)


def test_a_time_out_ends_the_whole_group(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = f"sleep 60 & echo $! > {note}; wait"
    with pytest.raises(InfrastructureError, match="still running"):
        run(["sh", "-c", script], events=Events(), timeout=0.5)
    assert not alive(int(note.read_text()))


def test_nothing_outlives_a_killed_caller(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "from results.base.process import run\nfrom results.base.events import Events\n"
        f"run(['sh', '-c', 'echo $$ > {note}; exec sleep 60'], events=Events())\n"
    )
    caller = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).resolve().parents[3])
    ends = time.monotonic() + 10
    while not (note.exists() and note.read_text().strip()):
        assert time.monotonic() < ends
        time.sleep(0.02)
    os.kill(caller.pid, signal.SIGKILL)
    caller.wait()
    pid = int(note.read_text())
    while alive(pid):
        assert time.monotonic() < ends
        time.sleep(0.02)
