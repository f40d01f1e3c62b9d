"""Who works beside whom. Threads are held by events, so that nothing here depends on how fast the host is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from results.base.errors import InfrastructureError
from validate.turns import Turns

SOON = 5.0
MOMENT = 0.05


class Worker:
    """A turn that is held until it is let go."""

    def __init__(self, turn: Callable[[], AbstractContextManager[None]]) -> None:
        self.begun, self.go, self.error = threading.Event(), threading.Event(), ""
        self._turn = turn
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            with self._turn():
                self.begun.set()
                self.go.wait(SOON)
        except InfrastructureError as error:
            self.error = str(error)

    def end(self) -> None:
        self.go.set()
        self._thread.join(SOON)
        assert not self._thread.is_alive()


@contextmanager
def working(turn: Callable[[], AbstractContextManager[None]]) -> Iterator[Worker]:
    worker = Worker(turn)
    assert worker.begun.wait(SOON)
    try:
        yield worker
    finally:
        worker.end()


def test_others_work_beside() -> None:
    turns = Turns()
    with working(turns.beside), working(turns.beside):
        pass


def test_whoever_wants_to_be_alone_waits_for_the_others() -> None:
    turns = Turns()
    with working(turns.beside) as first:
        timed = Worker(turns.alone)
        assert not timed.begun.wait(MOMENT)
        first.end()
        assert timed.begun.wait(SOON)
    timed.end()


@pytest.mark.parametrize("kind", ["beside", "alone"])
def test_nobody_begins_while_one_is_alone(kind: str) -> None:
    turns = Turns()
    with working(turns.alone) as timed:
        other = Worker(getattr(turns, kind))
        assert not other.begun.wait(MOMENT)
        timed.end()
        assert other.begun.wait(SOON)
    other.end()


def test_first_come_first_served() -> None:
    turns = Turns()
    with working(turns.beside) as first:
        timed = Worker(turns.alone)
        while not turns._queue:
            pass
        late = Worker(turns.beside)  # could begin at once, but then the timed one might wait for ever
        assert not late.begun.wait(MOMENT)
        first.end()
        assert timed.begun.wait(SOON)
        assert not late.begun.is_set()
        timed.end()
        assert late.begun.wait(SOON)
    late.end()


def test_after_a_break_nobody_begins_and_who_works_may_end() -> None:
    turns = Turns()
    with working(turns.beside):
        waiting = Worker(turns.alone)
        turns.break_off()
        waiting.end()
        assert "broke off" in waiting.error
        late = Worker(turns.beside)
        late.end()
        assert not late.begun.is_set()


def test_an_error_gives_the_turn_back() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="no"), turns.alone():
        raise ValueError("no")
    with turns.alone():
        pass
