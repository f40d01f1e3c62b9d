"""An upstream web server of our own, and requests through the product's filter. Standard library only.

The machine has no network that leads anywhere, so the server is on the host that `outside` makes: to the filter it
is a site like any other.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from validate.guest import outside

BODY = outside.BODY
ANSWER_LIMIT = 1 << 16
OUTSIDE = ("10.0.2.2", "192.0.2.1")
"""Asking for the route to these sends nothing; the first is QEMU's gateway, the second goes to nobody."""


class Upstream(NamedTuple):
    """Where the server listens."""

    address: str
    port: int

    @property
    def host(self) -> str:
        """As in a `Host:` header."""
        return f"{self.address}:{self.port}"


class Answer(NamedTuple):
    """The status of an answer (0: not HTTP) and what came, cut to a bound."""

    status: int
    data: bytes


def own_address() -> str:
    """The address that this machine would speak to others from. Raises `OSError` when it has none."""
    problem: OSError | None = None
    for elsewhere in OUTSIDE:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((elsewhere, 9))
            except OSError as error:
                problem = error
                continue
            return str(probe.getsockname()[0])
    raise problem or OSError("no address")


@contextmanager
def upstream(address: str = "", port: int = 0) -> Iterator[Upstream]:
    """A web server: the one of the host outside, or one on an address of ours that is given; it ends with the block."""
    if not address:
        with outside.network():
            yield Upstream(outside.V4, 80)
        return
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(64)
        where = Upstream(*listener.getsockname()[:2])
        pid = os.fork()
        if pid == 0:
            _serve(listener)
        try:
            yield where
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _serve(listener: socket.socket) -> None:
    """Answer every request with the same small page, one connection after the other, for ever."""
    while True:
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                read_head(connection)
                connection.sendall(outside.PAGE)


def read_head(connection: socket.socket) -> bytes:
    """Everything up to the empty line, and what came along behind it."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < ANSWER_LIMIT:
        piece = connection.recv(4096)
        if not piece:
            break
        data += piece
    return data


def read_all(connection: socket.socket, data: bytes = b"") -> bytes:
    """What is left until the peer closes, within the bound."""
    while len(data) < ANSWER_LIMIT:
        piece = connection.recv(4096)
        if not piece:
            break
        data += piece
    return data


def parsed(data: bytes) -> Answer:
    """Status and bytes of an HTTP answer."""
    words = data.split(b"\r\n", 1)[0].split()
    good = len(words) >= 2 and words[0].startswith(b"HTTP/") and words[1].isdigit()
    return Answer(int(words[1]) if good else 0, data)


def get(proxy: tuple[str, int], url: str, host: str, *, seconds: float = 5) -> Answer:
    """Fetch `url` through the proxy, one connection for one request."""
    with socket.create_connection(proxy, timeout=seconds) as connection:
        connection.sendall(f"GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return parsed(read_all(connection))


def tunnel(proxy: tuple[str, int], host: str, *, seconds: float = 5) -> Answer:
    """CONNECT to `host` (name:port) through the proxy, and fetch / in the tunnel; a refusal is the proxy's answer."""
    with socket.create_connection(proxy, timeout=seconds) as connection:
        connection.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        opened = parsed(read_head(connection))
        if opened.status != 200:
            return opened
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return parsed(read_all(connection))
