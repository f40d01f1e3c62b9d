"""Files: owner, mode and digest of what was asked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from validate.facts.guest.context import Context
from validate.facts.guest.digest import sha256
from validate.facts.guest.journal import product_profiles
from validate.facts.guest.processes import id_names

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
    return sha256(context.reader.bytes(path, HASHED))


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
