"""The ring is used only where it has been seen to work."""

from __future__ import annotations

from typing import Any

import pytest

from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import Completed
from validate.machine import disk_io


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    monkeypatch.setattr(disk_io, "which", lambda name: f"/usr/bin/{name}")
    return []


def answering(asked: list[list[str]], status: int) -> Any:
    def run(argv: list[str], **_: object) -> Completed:
        asked.append(argv)
        return Completed(tuple(argv), status, b"", b"", 0.0)

    return run


@pytest.mark.parametrize(("status", "aio"), [(0, "io_uring"), (1, "threads"), (-31, "threads")])
def test_what_the_proof_says_is_done(
    status: int, aio: str, asked: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_io, "run", answering(asked, status))
    assert disk_io.asynchronous_io(Events()) == aio
    assert "io_uring" in asked[0]


def test_a_proof_that_hangs_is_none(asked: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(argv: list[str], **_: object) -> Completed:
        asked.append(argv)
        raise InfrastructureError("qemu-img: still running after 10 s")

    monkeypatch.setattr(disk_io, "run", hang)
    assert disk_io.asynchronous_io(Events()) == "threads"


def test_root_tries_it_as_a_user_that_owns_nothing(asked: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_io, "run", answering(asked, 0))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    disk_io.asynchronous_io(Events())
    assert asked[0][0] == "setpriv"


def test_it_is_proved_once_a_run(asked: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_io, "run", answering(asked, 0))
    events = Events()
    assert disk_io.asynchronous_io(events) == disk_io.asynchronous_io(events)
    assert len(asked) == 1
