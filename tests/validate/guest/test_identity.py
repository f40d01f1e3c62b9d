"""A function in a forked child: results, errors, limits, and nothing left behind."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from validate.guest.identity import Limits, become, run_as


def test_value_comes_back() -> None:
    ended = run_as(None, lambda a, b: {"sum": a + b, "pid": os.getpid()}, 1, 2)
    assert ended.value["sum"] == 3
    assert ended.value["pid"] != os.getpid()
    assert ended.error == ""


def test_error_comes_back_in_words() -> None:
    def fail() -> None:
        raise PermissionError(13, "no")

    assert run_as(None, fail).error == "PermissionError: [Errno 13] no"


def test_what_is_not_json_is_an_error() -> None:
    assert "not JSON" in run_as(None, lambda: {1, 2}).error


def test_time_limit_takes_the_whole_group(tmp_path: Path) -> None:
    mark = tmp_path / "pid"

    def fork_and_hang() -> None:
        pid = os.fork()
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        mark.write_text(str(pid))
        time.sleep(60)

    ended = run_as(None, fork_and_hang, limits=Limits(seconds=0.5))
    assert ended.error.startswith("TimeLimit")
    assert ended.seconds < 5
    for _ in range(100):
        try:
            state = Path(f"/proc/{mark.read_text()}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            break
        if state == "Z":
            break
        time.sleep(0.02)
    else:
        pytest.fail("the grandchild lives")


def test_memory_limit() -> None:
    assert "MemoryError" in run_as(None, lambda: len(bytearray(1 << 30)), limits=Limits(memory=256 << 20)).error


def test_death_is_told() -> None:
    assert "signal 9" in run_as(None, lambda: os.kill(os.getpid(), 9)).error


def test_too_much_is_refused() -> None:
    assert run_as(None, lambda: "x" * (2 << 20)).error.startswith("ResultLimit")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_becomes_another_user() -> None:
    def who() -> list[object]:
        return [os.getresuid(), os.getgroups(), os.environ["USER"]]

    value = run_as("nobody", who).value
    assert value[0] == [65534] * 3
    assert 0 not in value[1]
    assert value[2] == "nobody"


def test_becoming_nobody_known_fails() -> None:
    assert "KeyError" in run_as(None, become, "no-such-user-here").error
