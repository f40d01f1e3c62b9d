"""Writing a .deb so that the same files always give the same bytes, whatever tools the host has."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass

BLOCK = 2  # members of an ar archive start at even offsets


@dataclass(frozen=True)
class Entry:
    """One file (or, with content None, one folder) of the package; `path` has no leading slash."""

    path: str
    content: bytes | None
    mode: int


def _header(entry: Entry, epoch: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(f"./{entry.path}" if entry.path else "./")
    header.mode = entry.mode
    header.mtime = epoch
    header.uname = header.gname = "root"
    if entry.content is None:
        header.type = tarfile.DIRTYPE
    else:
        header.size = len(entry.content)
    return header


def _with_parents(entries: Sequence[Entry]) -> list[Entry]:
    """The entries with every folder above them, sorted, so that a folder comes before what it holds."""
    every = {entry.path: entry for entry in entries}
    for entry in entries:
        parts = entry.path.split("/")[:-1]
        for count in range(len(parts) + 1):
            folder = "/".join(parts[:count])
            every.setdefault(folder, Entry(folder, None, 0o755))
    return [every[path] for path in sorted(every)]


def tarball(entries: Sequence[Entry], epoch: int) -> bytes:
    """A gzip'ed tar of the entries: owned by root, sorted, all times `epoch` (Unix seconds)."""
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for entry in _with_parents(entries):
            archive.addfile(_header(entry, epoch), io.BytesIO(entry.content or b""))
    return gzip.compress(room.getvalue(), 6, mtime=0)


def archive(control: Sequence[Entry], data: Sequence[Entry], epoch: int) -> bytes:
    """The whole .deb (format 2.0)."""
    members = (
        ("debian-binary", b"2.0\n"),
        ("control.tar.gz", tarball(control, epoch)),
        ("data.tar.gz", tarball(data, epoch)),
    )
    parts = [b"!<arch>\n"]
    for name, content in members:
        parts.append(f"{name:<16}{epoch:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % BLOCK))
    return b"".join(parts)
