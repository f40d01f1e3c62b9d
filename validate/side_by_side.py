"""Several pieces of work at once, each with a machine of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

from validate.machine.launch import end_started_by

T = TypeVar("T")
Waiting: TypeAlias = "queue.SimpleQueue[tuple[int, Callable[[], T]]]"
Ended: TypeAlias = "queue.SimpleQueue[tuple[int, T | BaseException]]"
"""What came of which work."""


def side_by_side(works: Sequence[Callable[[], T]], jobs: int) -> list[T]:
    """What each of the works returns, in their order; they begin in that order, at most `jobs` of them at a time.

    The first error, or an interrupt, is raised as soon as the machines of the other works are ended; nothing new is
    begun. What is left of those works ends with their machines, or with the process.
    """
    if min(jobs, len(works)) <= 1:
        return [work() for work in works]
    waiting: Waiting[T] = queue.SimpleQueue()
    ended: Ended[T] = queue.SimpleQueue()
    broken = threading.Event()
    for number, work in enumerate(works):
        waiting.put((number, work))
    serve = partial(_serve, waiting, ended, broken)
    threads = [threading.Thread(target=serve, name=f"work-{at}", daemon=True) for at in range(min(jobs, len(works)))]
    for thread in threads:
        thread.start()
    answers: dict[int, T] = {}
    try:
        while len(answers) < len(works):
            number, answer = ended.get()
            if isinstance(answer, BaseException):
                raise answer
            answers[number] = answer
    finally:
        broken.set()
        if len(answers) < len(works):
            end_started_by(thread.ident for thread in threads if thread.ident is not None)
    return [answers[number] for number in range(len(works))]


def _serve(waiting: Waiting[T], ended: Ended[T], broken: threading.Event) -> None:
    """One thread: takes what waits until there is nothing more, or something has gone wrong."""
    while not broken.is_set():
        try:
            number, work = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            ended.put((number, work()))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            ended.put((number, error))
            return
