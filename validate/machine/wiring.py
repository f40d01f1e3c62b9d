"""Everything that one QEMU inherits: their ends, which we let go of once it runs, and ours."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from results.base.events import Events
from validate.machine import launch
from validate.machine.firmware import firmware
from validate.machine.qemu import Descriptors


@dataclass(frozen=True)
class Wires:
    """`fds` are QEMU's ends; the others are ours and live as long as the machine."""

    fds: Descriptors
    console: socket.socket
    qmp: socket.socket
    overlay: int
    stderr: int


@contextmanager
def wired(image: Path, strings: Sequence[bytes], ours: ExitStack, events: Events) -> Iterator[Wires]:
    """Make both ends. QEMU's are closed in this process when the block ends, ours when `ours` does."""

    def keep(stack: ExitStack, fd: int) -> int:
        stack.callback(os.close, fd)
        return fd

    with ExitStack() as theirs:
        pairs = [socket.socketpair() for _ in ("console", "qmp")]
        for mine, its in pairs:
            ours.callback(mine.close)
            theirs.callback(its.close)
        overlay = keep(ours, launch.open_overlay(image, events))
        fds = Descriptors(
            image=keep(theirs, os.open(image, os.O_RDONLY | os.O_CLOEXEC)),
            overlay=overlay,
            variables=keep(theirs, launch.anonymous("variables", firmware().variables.read_bytes())),
            console=pairs[0][1].fileno(),
            qmp=pairs[1][1].fileno(),
            strings=tuple(keep(theirs, launch.anonymous("smbios", text)) for text in strings),
        )
        yield Wires(fds, pairs[0][0], pairs[1][0], overlay, keep(ours, launch.anonymous("stderr")))
