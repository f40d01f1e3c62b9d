"""Whose turn it is where one run has two machines: most work goes side by side, what is timed has the host alone."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from results.base.errors import InfrastructureError


class Turns:
    """First come, first served, so that nobody waits for ever. Never take a turn within a turn."""

    def __init__(self) -> None:
        """Nobody works yet."""
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._working = 0
        self._alone = False
        self._broken = False

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Work that others may go on beside. Raises `InfrastructureError` once the run has broken off."""
        with self._turn(alone=False):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work that is timed: it begins once everybody else has ended theirs. Raises as `beside` does."""
        with self._turn(alone=True):
            yield

    def break_off(self) -> None:
        """Let nobody begin anything any more."""
        with self._changed:
            self._broken = True
            self._changed.notify_all()

    @contextmanager
    def _turn(self, *, alone: bool) -> Iterator[None]:
        self._enter(alone=alone)
        try:
            yield
        finally:
            with self._changed:
                self._working -= 1
                self._alone = False  # whoever worked beside others cannot have worked while one was alone
                self._changed.notify_all()

    def _enter(self, *, alone: bool) -> None:
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            self._changed.wait_for(lambda: self._broken or self._may_begin(ticket, alone=alone))
            self._queue.remove(ticket)
            if self._broken:
                raise InfrastructureError("not begun, since another part of the run broke off", "see its error")
            self._working += 1
            self._alone = alone
            self._changed.notify_all()

    def _may_begin(self, ticket: object, *, alone: bool) -> bool:
        return self._queue[0] is ticket and not self._alone and not (alone and self._working)
