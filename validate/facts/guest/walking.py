"""Walks a file system by several processes at once, for the few files in it that matter.

On the first walk after a boot nearly every folder is a read from the disk, and each read is a wait: a process for each
CPU waits, and meanwhile the collector does its own work (more of them took 8 % longer on an emulated machine's one).
Processes and not threads, since threads hand Python's lock over at each of ten thousand calls (a walk of what is cached
took 3.1 s by one thread, 5.8 s by eight). The folders to walk are handed out by a pipe of their numbers, so that none
has to know who is how far.
"""

from __future__ import annotations

import json
import os
import stat
import struct
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Any, NamedTuple

WORKERS = 4
"""Processes at most, whatever the number of CPUs."""
ENOUGH = 300
"""Shares of the walk to hand out. One share is a folder with all that is below it."""
OPENED = 30
"""Folders that are opened at most to get there."""
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
ANY_EXECUTE = 0o111
WORLD_WRITE = 0o002
SPECIAL = stat.S_ISUID | stat.S_ISGID
NUMBER = struct.Struct("=H")
_NO_DATA = frozenset({61, 95})  # ENODATA: has none; EOPNOTSUPP: its file system knows none

Real = Callable[[str], str]
"""From a path as the machine sees it to where it lies."""


class Row(NamedTuple):
    """A file or folder that matters. `mode` has the type bits; `capabilities` is hexadecimal, empty for none."""

    mode: int
    path: str
    uid: int
    gid: int
    capabilities: str


class Walked(NamedTuple):
    """What came of a walk: rows, and (section, path, what was wrong) of what could not be read."""

    rows: list[Row]
    errors: list[tuple[str, str, str]]


def open_folder(path: str) -> int:
    """A descriptor that leaves the folder's access time alone where that is allowed (to root and its owner)."""
    try:
        return os.open(path, FOLDER | os.O_NOATIME)
    except PermissionError:
        return os.open(path, FOLDER)


Folders = list[tuple[int, str]]
"""Number of links, and path. On ext4 a folder has as many links as it holds folders, and two more."""


def look_into(folder: str, device: int, real: Real, walked: Walked) -> Folders:
    """One folder: what matters of its entries goes to `walked`; its folders on the same device are returned."""
    try:
        descriptor = open_folder(real(folder))
    except FileNotFoundError:
        return []  # it went away, which happens in /run and /tmp
    except OSError as error:
        walked.errors.append(("setuid", folder, error.strerror or str(error)))  # without the path, which may be long
        return []
    try:
        return _entries(descriptor, folder.rstrip("/") + "/", device, walked)
    finally:
        os.close(descriptor)


def _entries(descriptor: int, base: str, device: int, walked: Walked) -> Folders:
    """Few calls an entry, since there are ten thousand of them."""
    folders = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            if entry.is_symlink():
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            mode = info.st_mode
            path = base + entry.name
            if stat.S_ISDIR(mode):
                if info.st_dev != device:
                    continue
                folders.append((info.st_nlink, path))
            executable = mode & ANY_EXECUTE and stat.S_ISREG(mode)
            capabilities = _capabilities(descriptor, entry.name, path, walked) if executable else ""
            if capabilities or mode & (SPECIAL | WORLD_WRITE):
                walked.rows.append(Row(mode, path, info.st_uid, info.st_gid, capabilities))
    return folders


def _capabilities(descriptor: int, name: str, path: str, walked: Walked) -> str:
    """The attribute, in hexadecimal."""
    try:
        where = f"/proc/self/fd/{descriptor}/{name}"
        return os.getxattr(where, "security.capability", follow_symlinks=False).hex()
    except FileNotFoundError:
        return ""
    except OSError as error:
        if error.errno not in _NO_DATA:
            walked.errors.append(("file_caps", path, error.strerror or str(error)))
        return ""


class Walk:
    """A walk that is under way from the moment that this is made."""

    def __init__(self, starts: list[str], real: Real) -> None:
        """Begin at these mount points; each is walked on its own device only."""
        self._real = real
        self._walked = Walked([], [])
        self._shares = self._spread(starts)
        self._workers = self._start() if self._shares else []

    def result(self) -> Walked:
        """Wait for the end. Raises `OSError` or `ValueError` when a worker did not get there."""
        for pid, memory in self._workers:
            _, status = os.waitpid(pid, 0)
            with os.fdopen(memory, "rb") as file:
                file.seek(0)
                said = file.read()
            if status != 0:
                raise OSError(f"a process of the walk ended with status {status}")
            answer: dict[str, Any] = json.loads(said)
            self._walked.rows.extend(Row(*row) for row in answer["rows"])
            self._walked.errors.extend((section, path, what) for section, path, what in answer["errors"])
        self._workers = []
        return self._walked

    def _spread(self, starts: list[str]) -> list[tuple[str, int]]:
        """Open the folders that hold most folders ourselves, until there are enough (with their device) to hand out."""
        shares: list[tuple[int, str, int]] = []
        for start in starts:
            try:
                top = os.lstat(self._real(start))
            except OSError as error:
                self._walked.errors.append(("setuid", start, error.strerror or str(error)))
                continue
            if top.st_mode & (SPECIAL | WORLD_WRITE):
                self._walked.rows.append(Row(top.st_mode, start, top.st_uid, top.st_gid, ""))
            shares.append((-top.st_nlink, start, top.st_dev))
        heapify(shares)
        for _ in range(OPENED):
            if not shares or len(shares) >= ENOUGH:
                break
            _, name, device = heappop(shares)
            for links, path in look_into(name, device, self._real, self._walked):
                heappush(shares, (-links, path, device))
        return [(name, device) for _, name, device in sorted(shares)]

    def _start(self) -> list[tuple[int, int]]:
        """Fork the workers: process id and the anonymous memory that takes its answer, for each."""
        read, write = os.pipe()
        numbers = b"".join(NUMBER.pack(index) for index in range(len(self._shares)))
        workers = []
        for _ in range(min(WORKERS, os.cpu_count() or 1, len(self._shares))):
            memory = os.memfd_create("walk")
            pid = os.fork()
            if pid == 0:
                self._work(read, write, memory)
            workers.append((pid, memory))
        os.close(read)
        with os.fdopen(write, "wb") as pipe:
            pipe.write(numbers)
        return workers

    def _work(self, read: int, write: int, memory: int) -> None:
        """Walk one share after the other until none is left; never returns."""
        status = 1
        try:
            os.close(write)
            walked = Walked([], [])
            while number := os.read(read, NUMBER.size):
                name, device = self._shares[NUMBER.unpack(number)[0]]
                folders = [(0, name)]
                while folders:
                    folders += look_into(folders.pop()[1], device, self._real, walked)
            with os.fdopen(memory, "wb") as file:
                file.write(json.dumps(walked._asdict()).encode())
            status = 0
        finally:
            os._exit(status)
