"""The ways into the kernel that every program goes, as a user without privileges. Runs in the machine."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from validate.benchmarks.content import settle
from validate.benchmarks.content.clock import batches, each
from validate.guest.probing import World

Raw = dict[str, list[float]]
FILE = "/etc/hostname"
WATCHED = "/etc/passwd"
"""The audit rules watch it for changes; reading it only passes by them."""

PAIRS = 5
"""Pairs of processes that talk: each has a speed of its own, one of two that lie a few per cent apart."""


def measure(world: World) -> Raw:
    """Microseconds of each. What other parts have left to be written down would take half of the CPU from the first."""
    settle.settle(20, *settle.SHORT)
    return dict(world.result("outsider", everything, seconds=120))


def everything() -> Raw:
    """All of them in one process."""
    with open("/dev/zero", "rb", buffering=0) as zero:  # noqa: PTH123
        raw = {
            "call.getppid": batches(9, 400, os.getppid),
            "call.read": batches(9, 200, os.read, zero.fileno(), 1),
        }
    raw["call.stat"] = batches(9, 100, os.stat, FILE)
    raw["file.open"] = batches(9, 60, open_close, FILE)
    raw["file.watched"] = batches(9, 60, open_close, WATCHED)
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="dots-perf-") as folder:
        raw["file.create"] = each(60, create, os.path.join(folder, "one"))  # noqa: PTH118
    raw["process.fork"] = each(25, fork)
    raw["pipe.turn"], raw["tcp.turn"] = [], []
    for _ in range(PAIRS):
        with pipes() as ends, echo(*ends) as (read, write):
            raw["pipe.turn"] += each(60, turn, read, write)
        with tcp() as ends, echo(*ends) as (read, write):
            raw["tcp.turn"] += each(40, turn, read, write)
    raw["tcp.connect"] = connects()
    return raw


def open_close(path: str) -> None:
    """Open for reading, and close."""
    os.close(os.open(path, os.O_RDONLY))


def create(path: str) -> None:
    """Make an empty file, and take it away again."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.unlink(path)  # noqa: PTH108


def fork() -> None:
    """A child that ends at once."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def turn(read: int, write: int) -> None:
    """One byte there and back: two changes of process."""
    os.write(write, b"x")
    os.read(read, 1)


Ends = tuple[int, int, int, int]
"""Ours to read and to write, theirs to read and to write."""


@contextmanager
def pipes() -> Iterator[Ends]:
    """Two pipes."""
    (back, answer), (question, forth) = os.pipe(), os.pipe()
    try:
        yield back, forth, question, answer
    finally:
        for end in (back, forth, question, answer):
            os.close(end)


@contextmanager
def tcp() -> Iterator[Ends]:
    """A connection on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    with ours, theirs:
        for one in (ours, theirs):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield ours.fileno(), ours.fileno(), theirs.fileno(), theirs.fileno()


@contextmanager
def echo(read: int, write: int, their_read: int, their_write: int) -> Iterator[tuple[int, int]]:
    """A process that sends back what it gets, until it is killed; our two ends."""
    pid = os.fork()
    if pid == 0:
        try:
            while byte := os.read(their_read, 1):
                os.write(their_write, byte)
        finally:
            os._exit(0)
    try:
        yield read, write
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def connects() -> list[float]:
    """A new connection on loopback, accepted and closed."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        where = server.getsockname()

        def connect() -> None:
            with socket.create_connection(where):
                server.accept()[0].close()

        return each(40, connect)
