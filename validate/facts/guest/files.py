"""Files: owner, mode and digest of what was asked for, and inventories of what is dangerous anywhere."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Any

from validate.facts.guest.context import Context
from validate.facts.guest.journal import product_profiles
from validate.facts.guest.processes import id_names, parse_mountinfo

MOST = 4000
"""Entries described at most; more is an error of the section, since a cut list would pass for a whole one."""
HASHED = 4 << 20
"""Larger files get no digest: hashing them takes seconds under emulation."""
# Looked at on every machine besides the product's own paths.
ALWAYS = (
    *("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/sudoers.d"),
    *("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d", "/etc/ssh/ssh_host_ed25519_key", "/root", "/root/.ssh"),
    *("/etc/audit", "/var/log/audit", "/etc/sysctl.d", "/etc/sysctl.conf", "/etc/tmpfiles.d", "/etc/modprobe.d"),
    *("/etc/dbus-1/system.d", "/etc/polkit-1/rules.d", "/etc/systemd/journald.conf.d", "/etc/systemd/system.conf.d"),
    *("/etc/nftables.conf", "/etc/logrotate.conf", "/etc/logrotate.d", "/etc/login.defs", "/etc/security/limits.d"),
    *("/etc/profile.d", "/etc/crontab", "/etc/cron.d", "/boot/efi/loader", "/sys/fs/bpf", "/var/log/journal"),
)
# Their content changes by itself, or is a secret, or is not on a disk: no digest.
UNHASHED = ("/var/log/", "/var/lib/", "/etc/shadow", "/etc/gshadow", "/root/", "/sys/", "/run/", "/etc/ssh/ssh_host")
# These folders are described without what is in them.
SHALLOW = frozenset({"/root", "/var/log/journal", "/sys/fs/bpf"})
LOCAL = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "ramfs", "overlay", "vfat"})
KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "link",
    stat.S_IFSOCK: "socket",
    stat.S_IFIFO: "fifo",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
}


def paths_asked(context: Context) -> list[str]:
    """Every path that the questions, the product and this module name."""
    product = context.product
    wanted = {*ALWAYS, *context.questions.get("paths", ())}
    for part in ("paths", "configuration", "binaries"):
        wanted |= set(product.get(part, {}).values())
    profiles = (
        name for name in context.reader.some_names("/etc/apparmor.d") if name.startswith(product.get("name", "/"))
    )
    wanted |= {f"/etc/apparmor.d/{name}" for name in (*profiles, *product_profiles(context))}
    for unit in product.get("units", {}).values():
        for folder in ("/etc/systemd/system", "/usr/lib/systemd/system"):
            wanted |= {f"{folder}/{unit['name']}", f"{folder}/{unit['name']}.d"}
    if "paths" in product and "database" in product["paths"]:
        wanted |= {product["paths"]["database"] + ending for ending in ("-wal", "-shm")}
    return sorted(path for path in wanted if path)


def walk(context: Context, path: str) -> Iterator[str]:
    """`path` and, unless it is shallow, everything below it; links are not followed."""
    yield path
    real = context.reader.real(path)
    if path in SHALLOW or not os.path.isdir(real) or os.path.islink(real):  # noqa: PTH112, PTH114 - hundreds of them
        return
    for name in context.reader.names(path):
        yield from walk(context, f"{path}/{name}")


def describe_path(context: Context, path: str) -> dict[str, Any] | None:
    """One path; None when it is not there."""
    real = context.reader.real(path)
    try:
        info = os.lstat(real)
    except (FileNotFoundError, NotADirectoryError):
        return None
    names, groups = id_names(context)
    kind = KINDS.get(stat.S_IFMT(info.st_mode), "unknown")
    return {
        "type": kind,
        "mode": f"{stat.S_IMODE(info.st_mode):04o}",
        "owner": names.get(info.st_uid, str(info.st_uid)),
        "group": groups.get(info.st_gid, str(info.st_gid)),
        "size": info.st_size,
        "sha256": _digest(context, path) if kind == "file" and info.st_size <= HASHED else None,
        "listed": path not in SHALLOW if kind == "directory" else None,
        "target": context.reader.link(path) if kind == "link" else None,
    }


def _digest(context: Context, path: str) -> str | None:
    if path.startswith(UNHASHED):
        return None
    return hashlib.sha256(context.reader.bytes(path, HASHED)).hexdigest()


def inventory_command(context: Context) -> tuple[str, ...]:
    """One walk over all local file systems, for set-uid, world-writable and executable files."""
    mounts = {mount["point"]: mount["type"] for mount in parse_mountinfo(context.reader.text("/proc/self/mountinfo"))}
    local = sorted(point for point, kind in mounts.items() if kind in LOCAL)
    starts = [point for point in local if not point.startswith("/run/credentials/")]
    return (
        *("find", *starts, "-xdev", "("),
        *("-perm", "/6000", "-o", "(", "-perm", "-0002", "!", "-type", "l", ")"),
        *("-o", "(", "-type", "f", "-perm", "/0111", ")", ")"),
        *("-printf", r"%m\t%U\t%G\t%y\t%p\0"),
    )


def parse_inventory(text: str) -> list[tuple[int, int, int, str, str]]:
    """`find`'s rows as (mode, uid, gid, type letter, path)."""
    rows = []
    for row in text.split("\0"):
        mode, *rest = row.split("\t", 4)
        if len(rest) == 4:
            rows.append((int(mode, 8), int(rest[0]), int(rest[1]), rest[2], rest[3]))
    return rows


def world_writable(rows: list[tuple[int, int, int, str, str]]) -> list[str]:
    """Files and folders that anyone may change. Sticky folders, sockets and devices are made for it."""
    return sorted(
        path for mode, _, _, kind, path in rows if mode & 0o002 and (kind == "f" or (kind == "d" and not mode & 0o1000))
    )


def file_capabilities(context: Context, rows: list[tuple[int, int, int, str, str]]) -> dict[str, str]:
    """Executable files that carry capabilities: path to the attribute in hexadecimal."""
    found = {}
    for mode, _, _, kind, path in rows:
        if kind == "f" and mode & 0o111:
            try:
                found[path] = os.getxattr(context.reader.real(path), "security.capability", follow_symlinks=False).hex()
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in (61, 95):  # ENODATA: has none; EOPNOTSUPP: its file system knows none
                    context.error(("file_caps", path), error)
    return found


def collect_files(context: Context) -> dict[str, Any]:
    """The section `files`; a path that was asked for and is not there is null."""
    found: dict[str, Any] = {}
    for asked in paths_asked(context):
        for path in walk(context, asked.rstrip("/") or "/"):
            if len(found) >= MOST:
                context.error(("files",), f"more than {MOST} paths")
                return {"files": found}
            if path not in found:
                try:
                    found[path] = describe_path(context, path)
                except OSError as error:
                    context.error(("files", path), error)
    return {"files": dict(sorted(found.items()))}


def collect_inventory(context: Context) -> dict[str, Any]:
    """The sections `setuid`, `file_caps` and `world_writable`."""
    # Exit status 1: a file went away while find looked, which happens in /run and /tmp.
    rows = parse_inventory(context.commands.output(*context.once("inventory", inventory_command), accept=(0, 1)))
    names, groups = id_names(context)
    special = [row for row in rows if row[0] & 0o6000 and row[3] == "f"]
    return {
        "setuid": {
            path: f"{mode:04o} {names.get(uid, str(uid))} {groups.get(gid, str(gid))}"
            for mode, uid, gid, _, path in sorted(special, key=lambda row: row[4])
        },
        "file_caps": file_capabilities(context, rows),
        "world_writable": world_writable(rows),
    }
