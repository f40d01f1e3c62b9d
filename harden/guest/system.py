"""The machine: running programs, telling the journal, replacing files in one step."""

from __future__ import annotations

import os
import subprocess
import sys
import syslog
from pathlib import Path

TAG = "dots-family-security"
"""Under which everything is told in the journal."""


class RefusedError(Exception):
    """What was asked cannot be done here; nothing has been touched."""


class BrokenError(Exception):
    """Something failed halfway."""


def open_log() -> None:
    """Once, at the start."""
    syslog.openlog(TAG, 0, syslog.LOG_AUTHPRIV)


def say(text: str, level: int = syslog.LOG_NOTICE) -> None:
    """One line for the terminal and the journal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
    syslog.syslog(level, text)


def complain(text: str) -> None:
    """The same, as an error."""
    say(text, syslog.LOG_ERR)


def run(*argv: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a program, both streams in one. With `check`, raises `BrokenError` that quotes what it said."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
            text=True,
            errors="backslashreplace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        if check:
            raise BrokenError(f"{' '.join(argv)}: {error}") from None
        return subprocess.CompletedProcess(argv, 127, str(error))
    if check and done.returncode:
        raise BrokenError(f"{' '.join(argv)}: exit status {done.returncode}: {done.stdout.strip()[-800:]}")
    return done


def proc_sys(name: str) -> Path:
    """Where a kernel setting lies; slashes in its name stand for themselves."""
    return Path("/proc/sys", name.replace(".", "/"))


def unfinished(path: Path) -> Path:
    """Where a file lies while it is being written."""
    return path.with_name(f".{path.name}.hardening")


def write(path: Path, content: bytes, mode: int, uid: int, gid: int) -> None:
    """Replace the file in one step: a reader sees the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    fresh = unfinished(path)
    try:
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if not path.is_relative_to("/boot/efi"):  # the ESP knows no owners
            os.chown(fresh, uid, gid)
            fresh.chmod(mode)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
