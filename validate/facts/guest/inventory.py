"""What is dangerous anywhere on local disks: set-uid, world-writable, and files that carry capabilities.

The walk is our own, and not `find`, which marks every folder as read: on the first boot of an image that is a write
for each of them (seconds, and a trace that we leave behind), while `O_NOATIME` leaves none.
"""

from __future__ import annotations

import os
import stat
from typing import Any

from validate.facts.guest.context import Context, text_of
from validate.facts.guest.processes import id_names, parse_mountinfo
from validate.facts.guest.walking import SPECIAL, WORLD_WRITE, Walk

LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "ramfs", "overlay", "vfat"})


def starts(context: Context) -> list[str]:
    """Mount points of local file systems."""
    mounts = {mount["point"]: mount["type"] for mount in parse_mountinfo(context.reader.text("/proc/self/mountinfo"))}
    local = sorted(point for point, kind in mounts.items() if kind in LOCAL)
    return [point for point in local if not point.startswith("/run/credentials/")]


def _begun(context: Context) -> Walk:
    return Walk(starts(context), context.reader.real)


def begin(context: Context) -> None:
    """Set the walk going. Calling it is never needed: it only lets other sections be collected meanwhile."""
    try:
        context.once("walk", _begun)
    except (OSError, ValueError):
        return  # `collect` meets it again, and tells


def is_world_writable(mode: int) -> bool:
    """Whether anyone may change it. Sticky folders, sockets and devices are made for that."""
    if not mode & WORLD_WRITE:
        return False
    return stat.S_ISREG(mode) or (stat.S_ISDIR(mode) and not mode & stat.S_ISVTX)


def shown(path: str) -> str:
    """The path as text that survives JSON, whatever bytes it has."""
    return text_of(os.fsencode(path))


def collect(context: Context) -> dict[str, Any]:
    """The sections `setuid`, `file_caps` and `world_writable`."""
    walk: Walk = context.once("walk", _begun)
    walked = walk.result()
    for section, path, what in walked.errors:
        context.error((section, shown(path)), what)
    names, groups = id_names(context)
    special = {
        shown(row.path): f"{stat.S_IMODE(row.mode):04o} {names.get(row.uid, str(row.uid))} "
        f"{groups.get(row.gid, str(row.gid))}"
        for row in walked.rows
        if row.mode & SPECIAL and stat.S_ISREG(row.mode)
    }
    capable = {shown(row.path): row.capabilities for row in walked.rows if row.capabilities}
    return {
        "setuid": dict(sorted(special.items())),
        "file_caps": dict(sorted(capable.items())),
        "world_writable": sorted(shown(row.path) for row in walked.rows if is_world_writable(row.mode)),
    }
