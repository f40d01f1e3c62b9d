"""Several machines at once, each on a thread of its own: for what is asked, never for what is measured."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def side_by_side(works: Sequence[Callable[[], T]], jobs: int) -> list[T]:
    """What each of the works returns, in their order, at most `jobs` of them at a time.

    The first error is raised at once. Whatever still runs then does so on threads that end with the process, and the
    kernel ends a machine together with the thread that started it (`machine`), so nothing outlives the pipeline.
    """
    if jobs == 1:
        return [work() for work in works]
    free = threading.Semaphore(jobs)
    ended: queue.SimpleQueue[tuple[int, T | BaseException]] = queue.SimpleQueue()

    def run(number: int) -> None:
        with free:
            try:
                ended.put((number, works[number]()))
            except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
                ended.put((number, error))

    for number in range(len(works)):
        threading.Thread(target=run, args=(number,), name=f"work-{number}", daemon=True).start()
    answers: dict[int, T] = {}
    while len(answers) < len(works):
        number, answer = ended.get()
        if isinstance(answer, BaseException):
            raise answer
        answers[number] = answer
    return [answers[number] for number in range(len(works))]
