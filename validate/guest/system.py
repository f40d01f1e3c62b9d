"""What systemd, the journal and the daemon's database say, with as few processes as will do. Standard library only."""

from __future__ import annotations

import os
import select
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import quote

T = TypeVar("T")
OUTPUT_LIMIT = 1 << 20


def command(*argv: str, seconds: float = 30, check: bool = False) -> tuple[int, str]:
    """Run a program of the machine; its status and what it said on both streams."""
    done = subprocess.run(  # noqa: PLW1510 - inside the machine; the status is returned
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds
    )
    said = done.stdout[:OUTPUT_LIMIT].decode(errors="backslashreplace").strip()
    if check and done.returncode != 0:
        raise OSError(f"{argv[0]} {argv[1] if len(argv) > 1 else ''}: status {done.returncode}: {said[-200:]}")
    return done.returncode, said


@contextmanager
def started(*argv: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A program that runs beside us, both of its streams in one, and is killed at the end of the block."""
    process = subprocess.Popen(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def said(process: subprocess.Popen[bytes]) -> list[str]:
    """The last lines that a program which was killed had said."""
    process.kill()
    out = process.communicate()[0][-1000:]
    return out.decode(errors="backslashreplace").splitlines()[-3:]


def lines_until(process: subprocess.Popen[bytes], enough: int, *, seconds: float) -> list[str]:
    """What a program has said when it had `enough` lines, had closed its output, or when time was up."""
    ends = time.monotonic() + seconds
    said = b""
    while process.stdout and said.count(b"\n") < enough:
        left = ends - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            break
        piece = os.read(process.stdout.fileno(), 4096)
        if not piece:
            break
        said += piece
    return said.decode(errors="backslashreplace").splitlines()


def show(units: Sequence[str], properties: Sequence[str], *, seconds: float = 30) -> list[dict[str, str]]:
    """`systemctl show` of several units in one process, in their order."""
    _, said = command("systemctl", "show", "-p", ",".join(properties), *units, seconds=seconds)
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in said.split("\n\n")]
    return [block for block in blocks if block]


def main_pid(unit: str) -> int:
    """The service's main process; 0 when it does not run."""
    found = show([unit], ["MainPID"])
    return int(found[0].get("MainPID", "0")) if found else 0


def until(what: Callable[[], T | None], *, seconds: float, every: float = 0.1) -> T | None:
    """Ask until the answer is true or time is up; the last answer."""
    ends = time.monotonic() + seconds
    while True:
        answer = what()
        if answer or time.monotonic() >= ends:
            return answer
        time.sleep(every)


def query(database: str, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of the daemon's database, read-only, beside the running daemon."""
    with closing(sqlite3.connect(f"file:{quote(database)}?mode=ro", uri=True, timeout=5)) as connection:
        return connection.execute(statement, values).fetchall()


def read(path: str, limit: int = 65536) -> str:
    """The start of a file. Raises `OSError`."""
    with open(path, "rb") as file:  # noqa: PTH123 - /proc and friends, in a hurry
        return file.read(limit).decode(errors="backslashreplace")


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status as a mapping; empty when the process is gone."""
    with suppress(OSError):
        lines = read(f"/proc/{pid}/status").splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
    return {}


def alive(pid: int) -> bool:
    """Whether the process is there and not a zombie."""
    return status_of(pid).get("State", "Z")[0] not in "ZX"


def spawn_renamed(source: str, target: str, *arguments: str) -> int:
    """Copy a program under another name and start it; its pid. The kernel's exec event carries the new name."""
    with suppress(FileNotFoundError):
        os.unlink(target)  # noqa: PTH108
    with open(source, "rb") as original, open(target, "wb") as copy:  # noqa: PTH123
        copy.write(original.read())
    os.chmod(target, 0o755)  # noqa: PTH101, S103 - a program has to be executable
    pid = os.fork()
    if pid == 0:
        try:
            os.execv(target, [target, *arguments])  # noqa: S606
        finally:
            os._exit(127)
    return pid


def ended_by(pid: int, *, seconds: float) -> int | None:
    """How our child ended within the time: -signal, or its status; None when it still runs."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        time.sleep(0.05)
    return None
