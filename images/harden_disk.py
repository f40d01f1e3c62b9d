"""Makes the hardened disk out of the baseline's: a sparse copy, the tree's files, the kernel parameters."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from images import ext4
from images.disk import copy_into, read_entry, write_entry
from images.layout import entry_options
from results.base.errors import InfrastructureError, UsageError
from results.base.events import Events

FOLDERS_FORBIDDEN = ("dev", "proc", "sys", "run", "tmp", "boot/efi")
FORBIDDEN = (*(f"/{name}/" for name in FOLDERS_FORBIDDEN), "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow")
HINT = "this is the hardening tree's; mend its path, owner or group"


class HardeningFile(Protocol):
    """One file of the hardening tree; `path` is absolute in the machine, owner and group are names."""

    @property
    def path(self) -> str: ...  # noqa: D102
    @property
    def content(self) -> bytes: ...  # noqa: D102
    @property
    def mode(self) -> int: ...  # noqa: D102
    @property
    def owner(self) -> str: ...  # noqa: D102
    @property
    def group(self) -> str: ...  # noqa: D102
    @property
    def controls(self) -> tuple[str, ...]: ...  # noqa: D102


class HardeningTree(Protocol):
    """What a machine gets to be hardened."""

    @property
    def files(self) -> Sequence[HardeningFile]: ...  # noqa: D102
    @property
    def kernel_parameters(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def digest(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class Placement:
    """A file where it goes: numbers instead of names, and a plain path."""

    path: str
    mode: int
    uid: int
    gid: int


def placements(
    files: Sequence[HardeningFile], users: Mapping[str, int], groups: Mapping[str, int]
) -> tuple[Placement, ...]:
    """Resolve every file against the image's own accounts. Raises `UsageError` that lists all that do not fit."""
    problems: list[str] = []
    found: dict[str, Placement] = {}
    for file in files:
        try:
            path = ext4.safe_path(file.path)
        except ValueError as error:
            problems.append(str(error))
            continue
        if path.startswith(FORBIDDEN):
            problems.append(f"{path}: not a place for hardening files")
        if path in found:
            problems.append(f"{path}: given twice")
        problems += [f"{path}: the image has no user {file.owner!a}"] * (file.owner not in users)
        problems += [f"{path}: the image has no group {file.group!a}"] * (file.group not in groups)
        found[path] = Placement(path, stat.S_IMODE(file.mode), users.get(file.owner, 0), groups.get(file.group, 0))
    if problems:
        raise UsageError("\n".join(problems), HINT)
    return tuple(found.values())


def ancestors(path: str) -> list[str]:
    """Folders above a path, outermost first, without `/`."""
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


def _lookup(there: Mapping[str, Mapping[str, ext4.Entry]], path: str) -> ext4.Entry | None:
    parent, _, name = path.rpartition("/")
    return there.get(parent or "/", {}).get(name)


def write_commands(files: Sequence[Placement], there: Mapping[str, Mapping[str, ext4.Entry]], epoch: int) -> list[str]:
    """Commands for debugfs that write file number N from the host's file `fN`. Raises `UsageError`.

    `there` is what the file system has in the folders concerned.
    """
    commands: list[str] = []
    made: set[str] = set()
    touched: dict[str, None] = {}
    for number, file in enumerate(files):
        for folder in ancestors(file.path):
            entry = _lookup(there, folder)
            if entry and not entry.is_folder:
                raise UsageError(f"{file.path}: {folder} is no folder in the image", HINT)
            if not entry and folder not in made:
                commands += [f"mkdir {folder}", f"sif {folder} mode 040755"]
                made.add(folder)
                touched[folder.rpartition("/")[0] or "/"] = None
                touched[folder] = None
        entry = _lookup(there, file.path)
        if entry and entry.is_folder:
            raise UsageError(f"{file.path}: is a folder in the image", HINT)
        parent, _, name = file.path.rpartition("/")
        commands += [f"rm {file.path}"] if entry else []
        commands += [f"cd {parent or '/'}", f"write f{number} {name}"]
        mode = f"0{stat.S_IFREG | file.mode:o}"
        commands += [
            f"sif {file.path} {key} {value}" for key, value in (("mode", mode), ("uid", file.uid), ("gid", file.gid))
        ]
        touched[file.path] = None
        touched[parent or "/"] = None
    times = ("atime", "ctime", "mtime")
    return commands + [f"sif {path} {time} @{epoch}" for path in touched for time in times]


def accounts(disk: Path, *, events: Events) -> tuple[dict[str, int], dict[str, int]]:
    """Users and groups of the image, name to number."""
    texts = ext4.read_files(disk, ["/etc/passwd", "/etc/group"], events=events)
    users, groups = (ext4.ids(texts.get(path, b"").decode(errors="replace")) for path in ("/etc/passwd", "/etc/group"))
    return users, groups


def _write_files(disk: Path, tree: HardeningTree, *, epoch: int, events: Events) -> None:
    files = placements(tree.files, *accounts(disk, events=events))
    above = ["/", *(folder for file in files for folder in ancestors(file.path))]
    there = ext4.folders(disk, above, events=events)
    with tempfile.TemporaryDirectory(prefix="dots-harden-") as name:
        folder = Path(name)
        for number, file in enumerate(tree.files):
            (folder / f"f{number}").write_bytes(file.content)
        commands = write_commands(files, there, epoch)
        ext4.script(ext4.root_of(disk), commands, folder=folder, write=True, epoch=epoch, events=events)
    found = ext4.read_files(disk, [file.path for file in tree.files], events=events)
    wrong = [file.path for file in tree.files if found.get(file.path) != file.content]
    if wrong:  # debugfs is trusted with nothing: what it wrote is read again
        raise InfrastructureError(f"not written as they should be: {', '.join(wrong[:5])}", "is the disk full?")


def harden(baseline: Path, disk: Path, tree: HardeningTree, *, epoch: int, events: Events) -> str:
    """Make `disk` from `baseline` and the tree; return its kernel command line.

    Raises `UsageError` for a tree that does not fit the image.
    """
    with disk.open("wb") as file:
        file.truncate(baseline.stat().st_size)
    copy_into(baseline, disk, 0)
    if tree.files:
        _write_files(disk, tree, epoch=epoch, events=events)
    entry = read_entry(disk, events=events)
    options = entry_options(entry)
    hardened = " ".join([options, *tree.kernel_parameters])
    if hardened != options:
        write_entry(disk, entry.replace(f"options {options}", f"options {hardened}"), epoch=epoch, events=events)
    return hardened
