"""The build cache: a folder per kind, an entry per key, each there whole or not at all.

An entry is made in a temporary folder and renamed into place. File locks let two builds run side by side: the
second waits and finds the first one's entry. A temporary folder is locked by its maker for as long as that
lives, so what a killed build leaves behind is told from a running one, and swept by the next build.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from images import sandbox
from results.base.errors import InfrastructureError
from results.base.events import Events

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = "DOTS_FAMILY_CACHE"
MAKING = ".making-"
ROOM_HINT = f"free some room, or set {ENVIRONMENT} to a folder on a larger file system"
KEPT = 6
"""Entries of one kind that stay, the last used first."""

Make = Callable[[Path], None]


def key_of(inputs: Mapping[str, str]) -> str:
    """The cache key of named inputs; their order does not matter."""
    text = json.dumps(sorted(inputs.items()), separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def digest(content: bytes) -> str:
    """SHA-256 as records have it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def _locked(path: Path, events: Events, what: str) -> Iterator[None]:
    """Hold the lock file; wait for another build that has it, and say so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            events.emit("note", f"waiting for another build that makes {what}")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def out_of_room(folder: Path, needed: int) -> InfrastructureError:
    """The error for a file system that is too full; `needed` in bytes."""
    return InfrastructureError(f"{folder}: no room on this file system; about {needed >> 20} MiB are needed", ROOM_HINT)


@dataclass(frozen=True)
class Cache:
    """A folder of entries."""

    folder: Path

    @classmethod
    def default(cls) -> Cache:
        """`.cache/images` of the repository, or the folder that DOTS_FAMILY_CACHE names."""
        named = os.environ.get(ENVIRONMENT)
        return cls(Path(named).expanduser().resolve() if named else ROOT / ".cache" / "images")

    def find(self, kind: str, key: str) -> Path | None:
        """The entry, if it is there; it counts as used now."""
        entry = self.folder / kind / key
        if not entry.is_dir():
            return None
        with contextlib.suppress(OSError):
            os.utime(entry)
        return entry

    def get(self, kind: str, key: str, make: Make, *, room: int, events: Events, anew: bool = False) -> Path:
        """The entry's folder; `make` fills it if it is not there, or in any case with `anew`.

        `room` is what making it takes, in bytes. Raises `InfrastructureError` when there is less.
        """
        found = None if anew else self.find(kind, key)
        if found:
            return found
        self._prepare()
        with _locked(self.folder / "locks" / f"{kind}-{key}", events, kind):
            found = None if anew else self.find(kind, key)
            if found:
                return found
            free = shutil.disk_usage(self.folder).free
            if free < room:
                raise InfrastructureError(
                    f"{self.folder}: {free >> 20} MiB free, but making the {kind} takes about {room >> 20} MiB",
                    ROOM_HINT,
                )
            with self.temporary(events) as folder:
                fresh = folder / "entry"
                fresh.mkdir()
                self._fill(fresh, make, room)
                self._put(fresh, self.folder / kind / key, folder)
            self._prune(kind, events)
        return self.folder / kind / key

    def _prepare(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            hint = f"set {ENVIRONMENT} to a folder that can be written to"
            raise InfrastructureError(f"{self.folder}: {error.strerror}", hint) from None

    def _fill(self, fresh: Path, make: Make, room: int) -> None:
        try:
            make(fresh)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise out_of_room(self.folder, room) from error
            raise

    @staticmethod
    def _put(fresh: Path, entry: Path, attic: Path) -> None:
        """Rename into place; an older entry goes to the attic, which goes when the build is done with it."""
        entry.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            entry.rename(attic / "old")
        fresh.rename(entry)

    @contextmanager
    def temporary(self, events: Events) -> Iterator[Path]:
        """A folder in the cache for the time of the `with`; leftovers of killed builds are swept first."""
        self._prepare()
        with _locked(self.folder / "locks" / "sweep", events, "room"):
            self._sweep(events)
            folder = Path(tempfile.mkdtemp(prefix=MAKING, dir=self.folder))
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            sandbox.remove(folder, events)
            os.close(descriptor)

    def _sweep(self, events: Events) -> None:
        for folder in self.folder.glob(f"{MAKING}*"):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                sandbox.remove(folder, events)
            finally:
                os.close(descriptor)

    def _prune(self, kind: str, events: Events) -> None:
        """Let go of what has not been used for longest. Whoever has such a disk open keeps its content."""
        entries = sorted((self.folder / kind).iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for entry in entries[KEPT:]:
            events.emit("note", f"the cache lets go of {kind}/{entry.name}")
            sandbox.remove(entry, events)
