"""Jobs on a few threads, in their order: the next one starts as soon as a thread is free."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def side_by_side(jobs: Sequence[Callable[[], T]], threads: int) -> list[T]:
    """Results in the order of `jobs`. The first error is raised, once what runs has ended; nothing new is started.

    The threads are daemons: where the whole program is interrupted it ends at once, and each machine with its thread.
    """
    results: dict[int, T] = {}
    errors: list[BaseException] = []
    waiting = list(enumerate(jobs))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if errors or not waiting:
                    return
                number, job = waiting.pop(0)
            try:
                results[number] = job()
            except BaseException as error:  # noqa: BLE001 - raised again by whoever waits
                errors.append(error)

    workers = [
        threading.Thread(target=work, name=f"worker-{number}", daemon=True) for number in range(min(threads, len(jobs)))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        while worker.is_alive():
            worker.join(0.5)  # so that a signal is heard
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(jobs))]
