"""Finds the connection that the guest answers, by a few of them at once.

Until the guest's network is up, QEMU takes connections in its name and holds them: what asks the guest for one is
lost, and asked again only after seconds. So a new connection is begun while older ones wait, and the first that
speaks is taken. A slow guest still gets all the time it needs on the connection that reached it.
"""

from __future__ import annotations

import select
import socket
from contextlib import ExitStack

from results.base.deadline import Deadline

AT_ONCE = 5
"""Connections at most. OpenSSH holds a grudge against an address of which many hang up without a word (one second
each, and nothing below fifteen; see PerSourcePenalties in sshd_config(5)), and this is well below."""


class NotYetError(Exception):
    """Nobody answered SSH, or not to the end: worth another try while a machine boots."""


def greeted(host: str, port: int, patience: float) -> socket.socket:
    """A connection on which the other side has spoken first; nothing of what it said has been read.

    Raises `NotYetError` when every connection was hung up, or none spoke within `patience` seconds.
    """
    deadline = Deadline.after(patience, "waiting for a word")
    with ExitStack() as stack:
        waiting: list[socket.socket] = []
        for _ in range(AT_ONCE):
            waiting.append(stack.enter_context(_connection(host, port, deadline)))
            turn = Deadline.after(min(patience / AT_ONCE, deadline.left()), "its turn")
            while waiting and not turn.passed():
                for ready in select.select(waiting, [], [], max(0.0, turn.left()))[0]:
                    if _speaks(ready):
                        return _kept(ready)
                    waiting.remove(ready)
            if not waiting:
                raise NotYetError("hung up")
    raise NotYetError(f"no word within {patience:.1f} s")


def _connection(host: str, port: int, deadline: Deadline) -> socket.socket:
    try:
        return socket.create_connection((host, port), timeout=max(0.1, deadline.left()))
    except OSError as error:
        raise NotYetError(str(error)) from None


def _speaks(connection: socket.socket) -> bool:
    """Whether what happened on it is a word, and not its end."""
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def _kept(connection: socket.socket) -> socket.socket:
    """The same connection, out of the hands of those who close all."""
    return socket.socket(fileno=connection.detach())
