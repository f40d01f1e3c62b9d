"""Which connection is taken: the first on which the other side speaks, however long older ones are silent."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from validate.machine.greeting import AT_ONCE, NotYetError, greeted

HOST = "127.0.0.1"


@contextmanager
def serving(answer: Callable[[int, socket.socket], None]) -> Iterator[tuple[int, list[socket.socket]]]:
    """A port where `answer` sees each connection, counted from 0; and the connections that came so far."""
    came: list[socket.socket] = []
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server((HOST, 0)))

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    came.append(stack.enter_context(connection))
                    answer(len(came) - 1, connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_connection_that_was_lost_does_not_hold_up_the_next() -> None:
    def answer(index: int, connection: socket.socket) -> None:
        if index == 1:
            connection.sendall(b"SSH-2.0-second\r\n")

    with serving(answer) as (port, came):
        began = time.monotonic()
        with greeted(HOST, port, 2.0) as taken:
            assert time.monotonic() - began < 1.0
            assert taken.recv(100) == b"SSH-2.0-second\r\n"  # not a byte of the word is gone
        assert len(came) == 2


def test_an_old_connection_that_speaks_late_is_taken() -> None:
    def answer(index: int, connection: socket.socket) -> None:
        if index == 2:
            came_first[0].sendall(b"SSH-2.0-first\r\n")

    with serving(answer) as (port, came_first), greeted(HOST, port, 1.0) as taken:
        assert taken.recv(100) == b"SSH-2.0-first\r\n"


def test_all_hung_up_is_told_at_once() -> None:
    with serving(lambda _, connection: connection.close()) as (port, came):
        began = time.monotonic()
        with pytest.raises(NotYetError, match="hung up"):
            greeted(HOST, port, 30.0)
        assert time.monotonic() - began < 5
        assert len(came) == 1


def test_silence_ends_with_the_patience_and_few_connections() -> None:
    with serving(lambda *_: None) as (port, came):
        began = time.monotonic()
        with pytest.raises(NotYetError, match=r"no word within 0\.5 s"):
            greeted(HOST, port, 0.5)
        assert 0.4 < time.monotonic() - began < 2
        assert len(came) <= AT_ONCE


def test_nobody_there() -> None:
    with socket.create_server((HOST, 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(NotYetError, match="refused"):
        greeted(HOST, port, 1.0)
