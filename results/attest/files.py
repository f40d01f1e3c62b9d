"""Every file of a run's folder with size and digest, read as if a stranger had laid it out."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from results.base.errors import UsageError
from results.base.strict import Strict

STATEMENT = "attestation.json"
SIGNATURE = "attestation.sig"
LARGEST = 1 << 30
"""Bytes of the largest file of a run; a real one has a few megabytes."""
MOST = 2000
"""Files and folders of a run; a real one has some twenty."""
DEEPEST = 6


class FileDigest(Strict):
    """One file of a run, by its path in the folder."""

    path: str
    size: int
    sha256: str


def digests(folder: Path) -> dict[str, FileDigest]:
    """Hash every file but the attestation's own. Raises `UsageError` at a link, a device, or too much of anything.

    Every folder and file is opened relative to its parent without following links, so that nothing outside is read.
    """
    found: dict[str, FileDigest] = {}
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # `latest` is a link: the caller's own word is followed
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}", "`--run` takes a folder under results/runs/") from None
    try:
        _walk(top, "", 0, found)
    except OSError as error:
        raise UsageError(
            f"{folder}: {error.filename or 'a file'}: {error.strerror}", "may we read all of it?"
        ) from None
    finally:
        os.close(top)
    return dict(sorted(found.items()))


def _walk(at: int, prefix: str, depth: int, found: dict[str, FileDigest]) -> None:
    names = sorted(os.listdir(at))
    for name in names:
        path = prefix + name
        if not name.isprintable():
            raise UsageError(f"a file of the run has a name that cannot be shown: {path!r}", "it is none of ours")
        if path in (STATEMENT, SIGNATURE):
            continue
        status = os.stat(name, dir_fd=at, follow_symlinks=False)
        if len(found) + len(names) > MOST or depth > DEEPEST:
            raise UsageError(f"{path}: more files or folders than a run has", "is it the folder of a run?")
        if stat.S_ISDIR(status.st_mode):
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            try:
                _walk(inner, path + "/", depth + 1, found)
            finally:
                os.close(inner)
        else:
            found[path] = _digest(name, path, at)


def _digest(name: str, path: str, at: int) -> FileDigest:
    status = os.stat(name, dir_fd=at, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{path}: not a regular file", "a run holds no links and no devices")
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at), "rb") as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise UsageError(f"{path}: larger than {LARGEST} bytes", "is it a file of the run?")
        state, size = hashlib.sha256(), 0
        while block := file.read(1 << 20):
            state.update(block)
            size += len(block)
            if size > LARGEST:
                raise UsageError(f"{path}: grows while it is read", "is the run still under way?")
    return FileDigest(path=path, size=size, sha256=state.hexdigest())
