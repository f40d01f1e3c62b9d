"""The serial console: every byte is logged, every line is classified, and only a bounded tail is kept.

What a guest writes is untrusted: it may be binary, endless, or one line without an end.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

LINE_LIMIT = 2000
"""Characters of one line that are looked at and kept; the log has all of them."""

TAIL_LINES = 200


class Said(StrEnum):
    """What a line of the console tells about the guest."""

    READY = "multi-user.target reached"
    SSH = "SSH server starts"
    EMERGENCY = "emergency mode"
    RESCUE = "rescue mode"
    PANIC = "kernel panic"
    INITRAMFS = "a shell of the initramfs: the root file system was not mounted"
    NO_BOOT = "the firmware found nothing to boot"
    LOGIN = "login prompt"


FATAL = frozenset({Said.EMERGENCY, Said.RESCUE, Said.PANIC, Said.INITRAMFS, Said.NO_BOOT})
"""None of these becomes a machine that is ready."""

PATTERNS = (
    (Said.PANIC, r"Kernel panic - not syncing"),
    (
        Said.EMERGENCY,
        r"You are in emergency mode|(Reached target|Started) (emergency\.(target|service)|Emergency (Mode|Shell))",
    ),
    (Said.RESCUE, r"You are in rescue mode|(Reached target|Started) (rescue\.(target|service)|Rescue (Mode|Shell))"),
    (Said.INITRAMFS, r"^\(initramfs\)|ALERT! .* does not exist|Entering emergency mode\. Exit the shell to continue"),
    (Said.NO_BOOT, r"No bootable option or device was found|starting Boot\w+ \"EFI Internal Shell\""),
    (Said.READY, r"Reached target (multi-user\.target|Multi-User System)"),
    (Said.SSH, r"(Start(ing|ed)|Listening on) (sshd?\.(service|socket)|OpenBSD Secure Shell)"),
    (Said.LOGIN, r"^\S+ login: ?$"),
)
COMPILED = tuple((said, re.compile(pattern)) for said, pattern in PATTERNS)

ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[ -/]*[0-~])")
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """The text without terminal escapes, and with other control characters made harmless."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", ESCAPES.sub("", text))


def classify(line: str) -> Said | None:
    """What one cleaned line tells, or None."""
    return next((said for said, pattern in COMPILED if pattern.search(line)), None)


@dataclass(frozen=True)
class Line:
    """A line that told something. `at` is monotonic time, seconds."""

    said: Said
    text: str
    at: float


class Reader:
    """Cuts a stream of bytes into cleaned lines; the same however the bytes come in pieces."""

    def __init__(self) -> None:
        """Start at the beginning of a line."""
        self.lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._rest = bytearray()
        self._told: Said | None = None

    def feed(self, chunk: bytes) -> list[tuple[Said, str]]:
        """Take more bytes; return what they told, once for each line (a prompt is a line without an end)."""
        found: list[tuple[Said, str]] = []
        *ended, rest = re.split(rb"[\r\n]+", chunk)
        for piece in ended:
            self._add(piece)
            line = self._current()
            if line:
                self.lines.append(line)
                self._tell(line, found)
            self._rest.clear()
            self._told = None
        self._add(rest)
        if rest:
            self._tell(self._current(), found)
        return found

    def tail(self, count: int) -> str:
        """The last `count` lines, the unfinished one included."""
        current = self._current()
        return "\n".join([*self.lines, *([current] if current else [])][-count:])

    def _add(self, piece: bytes) -> None:
        self._rest += piece[: max(0, LINE_LIMIT - len(self._rest))]

    def _current(self) -> str:
        return clean(self._rest.decode(errors="replace")).rstrip()

    def _tell(self, line: str, found: list[tuple[Said, str]]) -> None:
        said = classify(line)
        if said is not None and said is not self._told:
            self._told = said
            found.append((said, line))


class Console:
    """Reads the console on a thread of its own until the other end is closed."""

    def __init__(self, end: socket.socket, log: Path, hear: Callable[[Line], None]) -> None:
        """Append to `log`; call `hear`, on the reading thread, for every line that tells something."""
        self._socket = end
        self._log = log
        self._hear = hear
        self._reader = Reader()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, name="console", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def tail(self, count: int = 25) -> str:
        """The last lines, cleaned, to quote in an error."""
        with self._lock:
            return self._reader.tail(count)

    def close(self) -> None:
        """Read what is left (QEMU has ended by now), then stop."""
        if self._thread.is_alive():
            self._thread.join(1)
        self._socket.close()

    def _read(self) -> None:
        with self._log.open("ab") as log:
            while True:
                try:
                    chunk = self._socket.recv(65536)
                except OSError:
                    return
                if not chunk:
                    return
                log.write(chunk)
                log.flush()
                with self._lock:
                    found = self._reader.feed(chunk)
                for said, text in found:
                    self._hear(Line(said, text, time.monotonic()))
