"""What happens, as plain data: library code emits, and terminal, transcript and report subscribe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["step-start", "step-end", "step-failed", "command", "note", "warning", "machine"]


@dataclass(frozen=True)
class Event:
    """One thing that happened. `at` is Unix time in seconds, `seconds` a duration where one applies."""

    kind: Kind
    text: str
    at: float = field(default_factory=time.time)
    seconds: float | None = None
    data: Mapping[str, object] = field(default_factory=dict)


Subscriber = Callable[[Event], None]


class Events:
    """Hands every event to every subscriber, in order, on the caller's thread."""

    def __init__(self, *subscribers: Subscriber) -> None:
        """Start with these subscribers."""
        self._subscribers = list(subscribers)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Add one more."""
        self._subscribers.append(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Take one away again."""
        self._subscribers.remove(subscriber)

    def emit(self, kind: Kind, text: str, *, seconds: float | None = None, **data: object) -> None:
        """Tell everyone."""
        event = Event(kind, text, seconds=seconds, data=data)
        for subscriber in tuple(self._subscribers):
            subscriber(event)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Bracket a long piece of work, so that it shows what runs, for how long, and how it ended."""
        started = time.monotonic()
        self.emit("step-start", name)
        try:
            yield
        except BaseException as error:
            self.emit("step-failed", name, seconds=time.monotonic() - started, error=str(error))
            raise
        self.emit("step-end", name, seconds=time.monotonic() - started)
