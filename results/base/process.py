"""The one door to `subprocess`.

Every command that the pipeline runs on the host goes through here: an argument vector (never a shell
string), a line in the transcript that can be pasted into a shell, a process group of its own, and a
parent-death signal, so that nothing outlives the pipeline even when it is killed with SIGKILL.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.base.errors import InfrastructureError
from results.base.events import Events

Process = subprocess.Popen[bytes]
"""A running process, for those who hold one without a door of their own."""

TAIL_LINES = 15


@dataclass(frozen=True)
class Completed:
    """A command that has ended: its vector, exit status, both streams and wall-clock seconds."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are no UTF-8 are shown as escapes."""
        return self.stdout.decode(errors="backslashreplace")

    @property
    def tail(self) -> str:
        """The end of standard error (or of standard output), to quote in an error."""
        raw = self.stderr if self.stderr.strip() else self.stdout
        return "\n".join(raw.decode(errors="backslashreplace").splitlines()[-TAIL_LINES:])


def search_path(path: str | None = None) -> str:
    """PATH with the folders that Debian keeps out of an ordinary user's: mke2fs, debugfs and sfdisk lie there."""
    folders = (path or os.environ.get("PATH", os.defpath)).split(":")
    return ":".join(dict.fromkeys([*folders, "/usr/sbin", "/sbin"]))


def which(program: str) -> str | None:
    """Path of `program`, also looked for where Debian keeps tools out of an ordinary user's PATH."""
    return shutil.which(program, path=search_path())


def bound_to_parent(argv: Sequence[str]) -> list[str]:
    """The vector that kills `argv` the moment the thread that starts it is gone.

    The kernel binds the signal to the starting *thread*, so start long-lived processes on a thread that
    lives as long as they should.
    """
    return ["setpriv", "--pdeathsig", "KILL", "--", *argv]


def spawn(
    argv: Sequence[str],
    *,
    stdin: int | None = subprocess.DEVNULL,
    stdout: int | None = subprocess.PIPE,
    stderr: int | None = subprocess.PIPE,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
) -> Process:
    """Start `argv` in a session of its own, bound to this thread's life. The caller ends it (`end`)."""
    merged = dict(os.environ if env is None else env)
    merged["PATH"] = search_path(merged.get("PATH"))
    return subprocess.Popen(
        bound_to_parent(argv),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env=merged,
        start_new_session=True,
        pass_fds=tuple(pass_fds),
    )


def end(process: Process, *, grace: float = 2.0) -> None:
    """End a spawned process and its whole group: ask, wait `grace` seconds, then insist."""
    for number, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, None)):
        if process.poll() is not None:
            break
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)  # whatever of the group outlived its leader


def run(  # noqa: PLR0913 - each is a word of Popen's, by name
    argv: Sequence[str],
    *,
    events: Events,
    check: bool = True,
    stdin: bytes | None = None,
    timeout: float | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    hint: str = "",
) -> Completed:
    """Run `argv` to its end and return what it said.

    Raises `InfrastructureError` when the program is missing, runs longer than `timeout` seconds or
    (with `check`) exits other than 0; the error quotes its last lines. `env` is added to our own.
    """
    if which(argv[0]) is None:
        raise InfrastructureError(f"{argv[0]}: not found on this host", hint or "run `nox -s doctor`")
    merged = {**os.environ, **(env or {})}
    started = time.monotonic()
    source = subprocess.PIPE if stdin is not None else subprocess.DEVNULL
    process = spawn(argv, stdin=source, cwd=cwd, env=merged, pass_fds=pass_fds)
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise InfrastructureError(f"{argv[0]}: still running after {timeout:.0f} s", hint) from None
    finally:
        end(process)
    done = Completed(tuple(argv), process.returncode, out, err, time.monotonic() - started)
    prefix = "".join(f"{key}={shlex.quote(value)} " for key, value in (env or {}).items())
    events.emit("command", prefix + shlex.join(argv), seconds=done.seconds, status=done.status, stderr=done.tail)
    if check and done.status != 0:
        raise InfrastructureError(f"{argv[0]}: exit status {done.status}", hint, evidence=done.tail)
    return done
