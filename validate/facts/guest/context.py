"""What every collector is handed: files under a root, commands, the questions, and a place for errors."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

COMMAND_SECONDS = 60.0
"""A command that takes longer is an error of its section. Generous: emulated machines are slow."""
FILE_LIMIT = 8 << 20
"""Most bytes that are read of one file."""
PIECE = 1 << 14
"""Bytes of one read. There are hundreds of small files, and memory for what one might be costs more than reading it
(the kernel clears all that is asked for of a file in /proc/sys)."""


class CouldNotLookError(Exception):
    """A question that this machine could not answer; its text lands in `errors`."""


def text_of(raw: bytes) -> str:
    """Text of bytes that may be anything: what is no UTF-8 shows as escapes, so that it survives JSON."""
    return raw.decode(errors="backslashreplace")


class Reader:
    """Files below `root`. Paths are given as the machine itself sees them."""

    def __init__(self, root: str = "/") -> None:
        """Read below `root`; `/` is the machine itself."""
        self.root = root.rstrip("/")

    def real(self, path: str) -> str:
        """Where `path` lies for the operating system."""
        return self.root + path if self.root else path

    def bytes(self, path: str, limit: int = FILE_LIMIT) -> bytes:
        """At most `limit` bytes of the file. Raises `OSError`."""
        descriptor = os.open(self.real(path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            pieces = [os.read(descriptor, min(limit, PIECE))]
            left = limit - len(pieces[-1])
            while pieces[-1] and left > 0:
                pieces.append(os.read(descriptor, min(left, PIECE)))
                left -= len(pieces[-1])
        finally:
            os.close(descriptor)
        return b"".join(pieces)

    def text(self, path: str, limit: int = FILE_LIMIT) -> str:
        """Read the file as text. Raises `OSError`."""
        return text_of(self.bytes(path, limit))

    def optional(self, path: str) -> str | None:
        """Read the file as text; None when there is no such file. Other errors are raised."""
        try:
            return self.text(path)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def names(self, folder: str) -> list[str]:
        """Names in the folder, sorted. Raises `OSError`."""
        return sorted(os.listdir(self.real(folder)))  # noqa: PTH208 - names are wanted, not paths

    def some_names(self, folder: str) -> list[str]:
        """Like `names`; a folder that does not exist holds nothing."""
        try:
            return self.names(folder)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def link(self, path: str) -> str:
        """Target of the symbolic link. Raises `OSError`."""
        return text_of(os.readlink(os.fsencode(self.real(path))))  # noqa: PTH115 - bytes: any name must do

    def exists(self, path: str) -> bool:
        """Whether there is such a path; a link that leads nowhere counts."""
        return os.path.lexists(self.real(path))


class Commands:
    """Runs commands, several at once: under emulation starting a process costs more than its work.

    Output goes to anonymous memory, so a command that says much never waits for its reader and nothing is
    written to the machine's disk.
    """

    def __init__(self) -> None:
        """Start with none running."""
        self._running: dict[tuple[str, ...], tuple[subprocess.Popen[bytes], int, int]] = {}

    def start(self, *argv: str) -> None:
        """Start `argv` now; `output` with the same words waits for it. A program that is missing shows there."""
        if argv in self._running or self._path(argv[0]) is None:
            return
        out, err = os.memfd_create("out"), os.memfd_create("err")
        environment = {"PATH": os.defpath + ":/usr/sbin:/sbin", "LC_ALL": "C.UTF-8", "SYSTEMD_COLORS": "0"}
        process = subprocess.Popen(
            [self._path(argv[0]) or argv[0], *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            close_fds=False,
        )
        self._running[argv] = (process, out, err)

    @staticmethod
    def _path(program: str) -> str | None:
        folders = ("/usr/sbin", "/usr/bin", "/sbin", "/bin", "/run/current-system/sw/bin")
        places = (program,) if program.startswith("/") else tuple(f"{folder}/{program}" for folder in folders)
        return next((place for place in places if os.access(place, os.X_OK)), None)

    def has(self, program: str) -> bool:
        """Whether the machine has the program."""
        return self._path(program) is not None

    def output(self, *argv: str, accept: Iterable[int] = (0,)) -> str:
        """Standard output of `argv`. Raises `CouldNotLookError` when it is missing, fails or hangs."""
        self.start(*argv)
        if argv not in self._running:
            raise CouldNotLookError(f"{argv[0]}: not on this machine")
        process, out, err = self._running.pop(argv)
        try:
            status = process.wait(COMMAND_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise CouldNotLookError(f"{' '.join(argv)}: no answer within {COMMAND_SECONDS:.0f} s") from None
        finally:
            said, complaint = _take(out), _take(err)
        if status not in tuple(accept):
            raise CouldNotLookError(f"{' '.join(argv)}: exit status {status}: {text_of(complaint).strip()[-400:]}")
        return text_of(said)

    def close(self) -> None:
        """End whatever nobody has waited for."""
        for process, out, err in self._running.values():
            process.kill()
            process.wait()
            os.close(out)
            os.close(err)
        self._running.clear()


def _take(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


class Context:
    """One run of the collector."""

    def __init__(self, reader: Reader, commands: Commands, questions: dict[str, Any]) -> None:
        """Answer `questions` (`product`, `units`, `paths`, `exposure`) from these files and commands."""
        self.reader = reader
        self.commands = commands
        self.questions = questions
        self.product: dict[str, Any] = questions.get("product") or {}
        self.errors: dict[str, str] = {}
        self._once: dict[str, Any] = {}

    def error(self, where: Sequence[str], what: object) -> None:
        """Record that the fact at path `where` could not be looked at."""
        self.errors[".".join(where)] = describe(what)[:1000]

    def once(self, name: str, work: Callable[[Context], Any]) -> Any:
        """Result of `work`, or its error, once in a run however many sections ask for it."""
        if name not in self._once:
            try:
                self._once[name] = work(self)
            except (OSError, ValueError, CouldNotLookError) as error:
                self._once[name] = error
        result = self._once[name]
        if isinstance(result, Exception):
            raise result
        return result

    def unit_patterns(self) -> list[str]:
        """Names of the product's units; instances of templates as globs."""
        units = self.product.get("units", {}).values()
        return [unit["name"].replace("@.", "@*.") for unit in units]


def describe(problem: object) -> str:
    """One line of what went wrong."""
    if isinstance(problem, CouldNotLookError):
        return str(problem)
    if isinstance(problem, OSError):
        return f"{problem.filename or ''}: {problem.strerror}".lstrip(": ")
    if isinstance(problem, BaseException):
        return f"{type(problem).__name__}: {problem}"
    return str(problem)


def base_name(path: str) -> str:
    """Last part of a path."""
    return path.rstrip("/").rpartition("/")[2]


def monotonic() -> float:
    """Seconds since some fixed moment."""
    return time.monotonic()
