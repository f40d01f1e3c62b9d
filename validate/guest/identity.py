"""Run a function as somebody else: in a forked child with limits of its own, its result back through a pipe.

Standard library only. The child never comes back into the caller's code, and when it is over, or its time
is, its whole process group is killed: what an attempt leaves behind does not disturb the next one.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import resource
import select
import signal
import time
from collections.abc import Callable
from typing import Any, NamedTuple

RESULT_LIMIT = 1 << 20
MEBIBYTE = 1 << 20


class Limits(NamedTuple):
    """What a child may use: seconds of wall time and of CPU, bytes of address space, bytes per file."""

    seconds: float = 20.0
    memory: int = 1024 * MEBIBYTE
    file_size: int = 64 * MEBIBYTE


class Ended(NamedTuple):
    """How it went: `value` when it returned, `error` in words when it did not."""

    value: Any
    error: str
    seconds: float
    signal: int = 0
    """What killed the child before it had a result."""


def become(user: str, group: str = "") -> None:
    """Turn this process into `user` for good: groups, gid, uid. None of it can be undone.

    `group`: one more that the process gets, where it exists, as systemd gives units supplementary groups.
    """
    entry = pwd.getpwnam(user)
    groups = [one.gr_gid for one in grp.getgrall() if user in one.gr_mem or one.gr_name == group]
    os.setgroups([entry.pw_gid, *groups])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    os.environ.clear()
    os.environ.update(
        HOME=entry.pw_dir, USER=user, LOGNAME=user, PATH="/usr/bin:/bin:/run/current-system/sw/bin", LANG="C.UTF-8"
    )
    os.chdir("/")


def restrict(limits: Limits) -> None:
    """Set the process's own limits; root's too, since an attempt may run away under any name."""
    cpu = max(1, int(limits.seconds) + 1)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory, limits.memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_size, limits.file_size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run_as(
    user: str | None,
    function: Callable[..., Any],
    *arguments: Any,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    group: str = "",
) -> Ended:
    """Call `function(*arguments)` in a child as `user` (None: as we are) and give back its JSON-able result.

    `group` is one more group that the child gets, where it exists.
    """
    read, write = os.pipe()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _child(write, (user, group), function, arguments, limits)
    os.close(write)
    try:
        raw = _read(read, started + limits.seconds)
    finally:
        os.close(read)
        # The group exists as soon as the child has called setsid; until then the child alone is killed.
        for kill in (os.killpg, os.kill):
            try:
                kill(pid, signal.SIGKILL)
            except OSError:
                continue
        _, status = os.waitpid(pid, 0)
    return _ended(raw, status, time.monotonic() - started, limits)


def _child(
    write: int,
    identity: tuple[str | None, str],
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    limits: Limits,
) -> None:
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        restrict(limits)
        user, group = identity
        if user is not None:
            become(user, group)
        answer = {"value": function(*arguments)}
    except BaseException as error:  # noqa: BLE001 - whatever it was is the result
        answer = {"error": f"{type(error).__name__}: {error}"}
    try:
        data = json.dumps(answer).encode()
    except (TypeError, ValueError) as error:
        data = json.dumps({"error": f"its result is not JSON: {error}"}).encode()
    try:
        while data:
            data = data[os.write(write, data) :]
    finally:
        os._exit(0)


def _read(descriptor: int, ends: float) -> bytes | None:
    """Everything until the end of file; None when time was up first."""
    data = bytearray()
    while len(data) <= RESULT_LIMIT:
        left = ends - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return None
        piece = os.read(descriptor, 65536)
        if not piece:
            break
        data += piece
    return bytes(data)


def _ended(raw: bytes | None, status: int, seconds: float, limits: Limits) -> Ended:
    if raw is None:
        return Ended(None, f"TimeLimit: not over after {limits.seconds:g} s", seconds)
    if len(raw) > RESULT_LIMIT:
        return Ended(None, "ResultLimit: it said too much", seconds)
    try:
        answer = json.loads(raw)
    except ValueError:
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        how = f"signal {killed}" if killed else f"status {status >> 8}"
        return Ended(None, f"Died: {how} before it had a result", seconds, killed)
    return Ended(answer.get("value"), str(answer.get("error", "")), seconds)
