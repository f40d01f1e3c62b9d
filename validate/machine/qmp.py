"""QEMU's machine protocol, for callers that do not live in an event loop: one thread keeps the loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import socket
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from qemu.qmp import ExecuteError, QMPClient, QMPError

from results.base.errors import InfrastructureError

T = TypeVar("T")

logging.getLogger("qemu.qmp").addHandler(logging.NullHandler())
logging.getLogger("qemu.qmp").propagate = False  # QEMU's end is no news to a person: the machine tells of it

EVENTS = ("RESET", "SHUTDOWN", "GUEST_PANICKED", "STOP", "RESUME")
JOB_WAIT = 0.05
"""Seconds between two looks at a job: QMP tells of a job's end by an event, but a lost one must not hang us."""


class Qmp:
    """One connection. `hear` is called on the loop's thread for each event in `EVENTS`."""

    def __init__(self, end: socket.socket, hear: Callable[[str, Mapping[str, Any]], None]) -> None:
        """Take over our end of the socket pair."""
        self._socket = end
        self._hear = hear
        self._client = QMPClient("machine")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="qmp", daemon=True)
        self._jobs = itertools.count(1)
        self._events: asyncio.Task[None] | None = None

    def connect(self, timeout: float) -> None:
        """Greet QEMU. Raises `InfrastructureError` when it does not answer within `timeout` seconds."""
        self._thread.start()
        self._await(self._connect(), timeout, "greeting")

    def execute(self, command: str, arguments: Mapping[str, object] | None = None, *, timeout: float = 10) -> Any:
        """Run one command and return its value. Raises `InfrastructureError`."""
        return self._await(self._client.execute(command, dict(arguments or {})), timeout, command)

    def job(self, command: str, arguments: Mapping[str, object], *, timeout: float) -> None:
        """Run a command that starts a background job, and wait for the job's end. Raises `InfrastructureError`."""
        job = f"job{next(self._jobs)}"
        self._await(self._job(command, {"job-id": job, **arguments}, job), timeout, command)

    def monitor(self, line: str) -> str:
        """Ask the human monitor, for the few things that QMP itself has no words for."""
        return str(self.execute("human-monitor-command", {"command-line": line}))

    def close(self) -> None:
        """Hang up; safe at any point."""
        if self._thread.is_alive():
            with contextlib.suppress(InfrastructureError):  # QEMU has gone already
                self._await(self._disconnect(), 2, "hanging up")
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2)
        if not self._thread.is_alive():
            self._loop.close()
        self._socket.close()

    def _await(self, work: Coroutine[Any, Any, T], timeout: float, what: str) -> T:
        if not self._thread.is_alive():
            work.close()
            raise InfrastructureError(f"QEMU: {what}: the connection is closed")
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, timeout), self._loop)
        try:
            return future.result()
        except ExecuteError as error:
            raise InfrastructureError(f"QEMU refused {what}: {error}") from None
        except (QMPError, OSError, EOFError) as error:
            raise InfrastructureError(f"QEMU: {what}: {error}") from None
        except TimeoutError:
            raise InfrastructureError(f"QEMU: {what}: no answer within {timeout:.0f} s") from None
        except asyncio.CancelledError:
            raise InfrastructureError(f"QEMU: {what}: the connection was closed") from None

    async def _connect(self) -> None:
        await self._client.connect(self._socket)
        self._events = asyncio.ensure_future(self._listen())

    async def _disconnect(self) -> None:
        if self._events is not None:
            self._events.cancel()
        await self._client.disconnect()

    async def _listen(self) -> None:
        with self._client.listener(EVENTS) as listener:
            async for event in listener:
                data: Any = event.get("data") or {}
                self._hear(str(event["event"]), dict(data))

    async def _job(self, command: str, arguments: Mapping[str, object], job: str) -> None:
        await self._client.execute(command, dict(arguments))
        while True:
            jobs: Any = await self._client.execute("query-jobs")
            for info in jobs:
                if info["id"] == job and info["status"] == "concluded":
                    await self._client.execute("job-dismiss", {"id": job})
                    if "error" in info:
                        raise InfrastructureError(f"QEMU: {command}: {info['error']}")
                    return
            await asyncio.sleep(JOB_WAIT)
