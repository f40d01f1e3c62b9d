"""What the monitor looks at. Every look on its own: one that cannot look says so, and the others go on."""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harden.guest.activate import profiles_enforced
from harden.guest.manifest import Manifest
from harden.guest.system import BrokenError, run

AUDIT_LOG = Path("/var/log/audit/audit.log")
MOST = 16 << 20
"""Most bytes of the audit log that are read at once; what is older is told of as not looked at."""
LINES = 5000
"""Most entries of the journal that are read at once."""
LONGEST_LOG = 4 << 20
"""Bytes at which the monitor's log begins anew."""
TOLD = 20
"""Most alerts of one kind."""
_DENIED = re.compile(r'apparmor="DENIED".*?profile="([^"]{1,200})"')
_KEY = re.compile(r'type=SYSCALL .* key="(dots-family[\w-]{0,60})"')


def integrity(manifest: Manifest) -> Iterator[str]:
    """Files that are not as the hardening has left them."""
    for entry in manifest.hardening:
        if not entry.in_place():
            yield f"integrity: {entry.path} is not as the hardening has left it"


def units(manifest: Manifest) -> Iterator[str]:
    """Units that do not run, or not as their files say."""
    for unit in manifest.units:
        shown = run("systemctl", "show", "--property=ActiveState,NeedDaemonReload", unit).stdout
        values = dict(line.partition("=")[::2] for line in shown.splitlines())
        if values.get("ActiveState") != "active":
            yield f"units: {unit} is {values.get('ActiveState', 'unknown')}"
        if values.get("NeedDaemonReload") == "yes":
            yield f"units: the files of {unit} have changed since it was loaded"


def profiles(manifest: Manifest) -> Iterator[str]:
    """Whether every profile is enforced."""
    if not profiles_enforced(manifest):
        yield "apparmor: not every profile is enforced"


def permissions(manifest: Manifest) -> Iterator[str]:
    """What anybody may write in the product's folders."""
    for folder in manifest.kept:
        for path in [folder, *sorted(folder.rglob("*"))]:
            mode = path.lstat().st_mode
            if mode & stat.S_IWOTH and not stat.S_ISLNK(mode) and not stat.S_ISSOCK(mode):
                yield f"permissions: {path} may be written by anybody ({mode & 0o7777:04o})"


def ebpf(product: dict[str, Any]) -> Iterator[str]:
    """Whether the product's programs are attached, as its daemon asks the kernel; the audit asks the kernel itself.

    Asking the kernel takes CAP_SYS_ADMIN, which is too much for what runs every hour.
    """
    bus = product["bus"]
    said = run("busctl", "--system", "call", bus["name"], bus["path"], bus["interface"], "GetEbpfStatus").stdout
    words = said.split(None, 3)
    if words[:1] != ["ubs"] or len(words) < 3 or not words[1].isdigit():
        yield "ebpf: the daemon's answer cannot be read"
    elif words[2] != "true":
        yield "ebpf: the daemon says that its programs are not attached"


def _since(folder: Path) -> tuple[list[str], int]:
    """Lines of the audit log since the last look, and how many bytes of it were too many to read."""
    marker = folder / "audit-position"
    info = AUDIT_LOG.stat()
    try:
        known = json.loads(marker.read_text(encoding="ascii"))
        start = int(known["offset"]) if known["inode"] == info.st_ino else 0
    except (OSError, ValueError, KeyError, TypeError):
        start = 0
    known_end = start if start <= info.st_size else 0
    start = max(known_end, info.st_size - MOST)
    with AUDIT_LOG.open("rb") as file:
        file.seek(start)
        content = file.read(MOST)
    whole = content.rfind(b"\n") + 1
    fresh = marker.with_suffix(".new")  # not `write`: changing owners is more than the unit's sandbox allows
    fresh.write_text(json.dumps({"inode": info.st_ino, "offset": start + whole}), encoding="ascii")
    fresh.replace(marker)
    return content[:whole].decode(errors="backslashreplace").splitlines(), start - known_end


def _journal(folder: Path) -> Iterator[str]:
    """Messages of the kernel and of the audit in the journal since the last look."""
    argv = ("journalctl", f"--cursor-file={folder / 'cursor'}", f"--lines={LINES}", "--output=cat", "--no-pager")
    yield from run(*argv, "_TRANSPORT=kernel", "+", "_TRANSPORT=audit").stdout.splitlines()


def events(product: dict[str, Any], folder: Path) -> Iterator[str]:
    """Denials and audit events since the last look, counted."""
    counts: Counter[str] = Counter()
    logged, skipped = _since(folder) if AUDIT_LOG.exists() else ([], 0)
    if skipped:
        yield f"audit: {skipped} bytes of {AUDIT_LOG} were not looked at: too much since the last look"
    for source in (_journal(folder), logged):
        for line in source:
            denied, key = _DENIED.search(line[:4000]), _KEY.search(line[:4000])
            if denied and denied[1].startswith(product["name"]):
                counts[f"denied: AppArmor, profile {denied[1]}"] += 1
            elif key:
                counts[f"audit: events of key {key[1]}"] += 1
    for text, count in sorted(counts.items()):
        yield f"{text}: {count} since the last look"


def all_alerts(manifest: Manifest, product: dict[str, Any], folder: Path) -> list[str]:
    """Everything that there is to tell."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    looks: dict[str, Callable[[], Iterator[str]]] = {
        "integrity": lambda: integrity(manifest),
        "units": lambda: units(manifest),
        "apparmor": lambda: profiles(manifest),
        "permissions": lambda: permissions(manifest),
        "ebpf": lambda: ebpf(product),
        "events": lambda: events(product, folder),
    }
    found: list[str] = []
    for name, look in looks.items():
        try:
            told = list(look())
        except (OSError, BrokenError, KeyError, ValueError) as error:
            told = [f"{name}: could not be looked at: {error}"]
        found += told[:TOLD]
        found += [f"{name}: and {len(told) - TOLD} more"] if len(told) > TOLD else []
    return ["".join(letter if letter.isprintable() else "?" for letter in one) for one in found]


def _rotate(log: Path) -> None:
    """Keep one older part beside the log. logrotate leaves it to us: as root it would follow the daemon's links."""
    if log.exists() and log.lstat().st_size > LONGEST_LOG:
        log.replace(log.with_name(f"{log.name}.1"))


def append(log: Path, lines: list[str]) -> None:
    """Add lines to a log that lies in a folder of the daemon's: nothing that it could have put there is followed."""
    _rotate(log)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(log, flags, 0o640)
    with os.fdopen(descriptor, "ab") as file:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_nlink != 1 or info.st_uid != os.geteuid():
            raise PermissionError(1, "is no file of ours")
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        file.write("".join(f"{when} {line}\n" for line in lines).encode(errors="backslashreplace"))
