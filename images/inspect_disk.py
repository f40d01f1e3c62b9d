"""Looks into a finished disk: for the manifest of its record, and for whoever doubts it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from images import ext4
from images.cache import digest
from images.disk import read_entry
from images.harden_disk import accounts
from images.layout import entry_options
from results.base.errors import UsageError
from results.base.events import Events
from results.records import ManifestFile


def read_file(disk: Path, path: str, *, events: Events) -> bytes | None:
    """Content of one file of the root file system, or None."""
    return ext4.read_files(disk, [path], events=events).get(path)


def list_folder(disk: Path, path: str, *, events: Events) -> dict[str, ext4.Entry]:
    """Entries of one folder; empty if there is none."""
    place = path if path == "/" else ext4.safe_path(path)
    return ext4.folders(disk, [path], events=events).get(place, {})


def command_line(disk: Path, *, events: Events) -> str:
    """Kernel command line in the boot loader's entry."""
    return entry_options(read_entry(disk, events=events))


def manifest(disk: Path, controls: Mapping[str, Sequence[str]], *, events: Events) -> tuple[ManifestFile, ...]:
    """What the disk really has at the given paths; `controls` maps a path to the controls that it is for."""
    users, groups = accounts(disk, events=events)
    places = {path: ext4.safe_path(path).rpartition("/") for path in controls}
    there = ext4.folders(disk, [parent or "/" for parent, _, _ in places.values()], events=events)
    contents = ext4.read_files(disk, list(controls), events=events)
    files = []
    for path, (parent, _, name) in sorted(places.items()):
        entry = there.get(parent or "/", {}).get(name)
        if entry is not None and path in contents:
            files.append(
                ManifestFile(
                    path=path,
                    mode=ext4.mode_text(entry),
                    owner=ext4.name_of(entry.uid, users),
                    group=ext4.name_of(entry.gid, groups),
                    sha256=digest(contents[path]),
                    controls=tuple(controls[path]),
                )
            )
    return tuple(files)


def remove_file(disk: Path, path: str, *, events: Events, epoch: int = 0) -> None:
    """Take one file out of the disk, in place. Raises `UsageError` when it is not there."""
    if ext4.entry_of(disk, path, events=events) is None:
        raise UsageError(f"{path}: not in {disk}")
    with tempfile.TemporaryDirectory(prefix="dots-ext4-") as folder:
        command = f"rm {ext4.safe_path(path)}"
        ext4.script(
            ext4.root_of(disk.resolve()), [command], folder=Path(folder), write=True, epoch=epoch, events=events
        )
