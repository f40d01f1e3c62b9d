"""What is dangerous anywhere on local disks: set-uid, world-writable, and files that carry capabilities.

The walk is our own, and not `find`, for two reasons. `find` marks every folder as read: on the first boot of an image
that is a write for each of them (seconds, and a trace that we leave behind), while `O_NOATIME` leaves none. And
under emulation it is no slower: 0.4 s for 12 000 files, both ways.
"""

from __future__ import annotations

import os
import stat
from typing import Any

from validate.facts.guest.context import Context, text_of
from validate.facts.guest.processes import id_names, parse_mountinfo

LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "ramfs", "overlay", "vfat"})
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
ANY_EXECUTE = 0o111
WORLD_WRITE = 0o002
SPECIAL = stat.S_ISUID | stat.S_ISGID
_NO_DATA = frozenset({61, 95})  # ENODATA: has none; EOPNOTSUPP: its file system knows none

Row = tuple[int, str]
"""Mode with type bits, and path."""


def starts(context: Context) -> list[str]:
    """Mount points of local file systems."""
    mounts = {mount["point"]: mount["type"] for mount in parse_mountinfo(context.reader.text("/proc/self/mountinfo"))}
    local = sorted(point for point, kind in mounts.items() if kind in LOCAL)
    return [point for point in local if not point.startswith("/run/credentials/")]


def open_folder(path: str) -> int:
    """A descriptor that leaves the folder's access time alone where that is allowed (to root and its owner)."""
    try:
        return os.open(path, FOLDER | os.O_NOATIME)
    except PermissionError:
        return os.open(path, FOLDER)


def walk(context: Context, start: str) -> list[tuple[Row, int, int]]:
    """What matters on the file system of `start`: row, uid, gid. What could not be read goes to `errors`."""
    found: list[tuple[Row, int, int]] = []
    try:
        top = os.lstat(context.reader.real(start))
    except OSError as error:
        context.error(("setuid", start), error)
        return found
    if top.st_mode & (SPECIAL | WORLD_WRITE):
        found.append(((top.st_mode, start), top.st_uid, top.st_gid))
    folders = [start]
    while folders:
        folder = folders.pop()
        try:
            descriptor = open_folder(context.reader.real(folder))
        except FileNotFoundError:
            continue  # it went away, which happens in /run and /tmp
        except OSError as error:
            context.error(("setuid", text_of(os.fsencode(folder))), error.strerror)  # the path may be long
            continue
        try:
            _entries(descriptor, folder.rstrip("/") + "/", top.st_dev, folders, found)
        finally:
            os.close(descriptor)
    return found


def _entries(descriptor: int, base: str, device: int, folders: list[str], found: list[tuple[Row, int, int]]) -> None:
    """One folder; few calls an entry, since there are ten thousand of them."""
    with os.scandir(descriptor) as entries:
        for entry in entries:
            if entry.is_symlink():
                continue
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            mode = info.st_mode
            if stat.S_ISDIR(mode):
                if info.st_dev != device:
                    continue
                folders.append(base + entry.name)
            if mode & (SPECIAL | WORLD_WRITE) or (mode & ANY_EXECUTE and stat.S_ISREG(mode)):
                found.append(((mode, base + entry.name), info.st_uid, info.st_gid))


def is_world_writable(mode: int) -> bool:
    """Whether anyone may change it. Sticky folders, sockets and devices are made for that."""
    if not mode & WORLD_WRITE:
        return False
    return stat.S_ISREG(mode) or (stat.S_ISDIR(mode) and not mode & stat.S_ISVTX)


def file_capabilities(context: Context, rows: list[Row]) -> dict[str, str]:
    """Executable files that carry capabilities: path to the attribute in hexadecimal."""
    found = {}
    for mode, path in rows:
        if not (stat.S_ISREG(mode) and mode & ANY_EXECUTE):
            continue
        shown = text_of(os.fsencode(path))
        try:
            found[shown] = os.getxattr(context.reader.real(path), "security.capability", follow_symlinks=False).hex()
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in _NO_DATA:
                context.error(("file_caps", shown), error)
    return found


def collect(context: Context) -> dict[str, Any]:
    """The sections `setuid`, `file_caps` and `world_writable`."""
    entries = [entry for start in starts(context) for entry in walk(context, start)]
    names, groups = id_names(context)
    special = {
        text_of(os.fsencode(path)): f"{stat.S_IMODE(mode):04o} {names.get(uid, str(uid))} {groups.get(gid, str(gid))}"
        for (mode, path), uid, gid in entries
        if mode & SPECIAL and stat.S_ISREG(mode)
    }
    return {
        "setuid": dict(sorted(special.items())),
        "file_caps": file_capabilities(context, [row for row, _, _ in entries]),
        "world_writable": sorted(
            text_of(os.fsencode(path)) for (mode, path), _, _ in entries if is_world_writable(mode)
        ),
    }
