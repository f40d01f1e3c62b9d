"""transcript.jsonl: every event of a run, one line each, written the moment it happens."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from results.base.errors import InfrastructureError
from results.base.events import Event
from results.text import cut

TEXT_LIMIT = 16 << 10
"""Characters kept of one text: its head and its tail."""

LINE_LIMIT = 256 << 10
"""Bytes of one line; beyond it, the data go and the event stays."""

DEPTH = 4
ITEMS = 200


class Transcript:
    """A subscriber. Each event is one `write` to a file opened for appending, so a kill loses none before it."""

    def __init__(self, path: Path) -> None:
        """Open the file, or go on with it. Raises `InfrastructureError`."""
        self.path = path
        self._broken = False
        self._lock = threading.Lock()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
            size = os.fstat(self._file).st_size
            if size and os.pread(self._file, 1, size - 1) != b"\n":
                os.write(self._file, b"\n")  # a former writer was cut off within its line
        except OSError as error:
            raise InfrastructureError(f"{path}: {error.strerror}", "may we write there?") from None

    def __call__(self, event: Event) -> None:
        """Write one event. Raises `InfrastructureError` once where the disk is full; then it stays silent.

        Once only, because the way out of that error emits events too, and must not be stopped by them.
        """
        line = _line(event)
        with self._lock:
            if self._broken or self._file < 0:
                return
            try:
                while line:
                    line = line[os.write(self._file, line) :]
            except OSError as error:
                self._broken = True
                raise InfrastructureError(f"{self.path}: {error.strerror}", "is there room on the disk?") from None

    def close(self) -> None:
        """Close the file; what is emitted afterwards is not written."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def _line(event: Event) -> bytes:
    at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head: dict[str, object] = {"at": at, "kind": event.kind, "text": cut(event.text, TEXT_LIMIT)}
    if event.seconds is not None:
        head["seconds"] = round(event.seconds, 4)
    line = _encoded({**head, **({"data": _plain(event.data, DEPTH)} if event.data else {})})
    if len(line) > LINE_LIMIT:
        line = _encoded({**head, "data": f"{len(line)} bytes left out"})
    return line


def _encoded(value: Mapping[str, object]) -> bytes:
    return json.dumps(value).encode("ascii") + b"\n"


def _plain(value: Any, depth: int) -> Any:
    """Anything as bounded JSON data; bytes that are no UTF-8 become visible escapes."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return cut(bytes(value).decode(errors="backslashreplace"), TEXT_LIMIT)
    if depth and isinstance(value, Mapping):
        return {str(key)[:200]: _plain(one, depth - 1) for key, one in list(value.items())[:ITEMS]}
    if depth and isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one, depth - 1) for one in list(value)[:ITEMS]]
    return cut(str(value), TEXT_LIMIT)
