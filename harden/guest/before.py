"""What has to hold before anything is touched: prerequisites, and proof that every file fits this machine."""

from __future__ import annotations

import os
import pwd
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from harden.guest import proving
from harden.guest.manifest import Manifest
from harden.guest.system import RefusedError, proc_sys, run, say

LEAST_SYSTEMD = 245
MEMORY_WANTED = 4 << 30
"""Bytes that the product's documentation recommends; less is told, not refused."""
ROOM_NEEDED = 16 << 20
"""Bytes below /var/lib: the former state, and what the files need."""
UNIT_FOLDERS = ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system")
TOOLS = (
    ("apparmor_parser", "apparmor", "apparmor"),
    ("augenrules", "auditd", "audit"),
    ("auditctl", "auditd", "audit"),
    ("nft", "nftables", "network"),
)
"""Program, the package that has it, and the part of the hardening that needs it."""


def _lacking(manifest: Manifest) -> Iterator[str]:
    version = re.match(r"systemd (\d+)", run("systemctl", "--version").stdout)
    if not version or int(version[1]) < LEAST_SYSTEMD:
        yield f"systemd {LEAST_SYSTEMD} or newer"
    switch = Path("/sys/module/apparmor/parameters/enabled")
    enabled = switch.exists() and switch.read_text(encoding="ascii").strip() == "Y"
    if "apparmor" not in manifest.without and not enabled:
        yield "AppArmor in the kernel (boot with apparmor=1, or leave it out with --without apparmor)"
    for program, package, part in TOOLS:
        if part not in manifest.without and not shutil.which(program):
            yield f"{program} (install the package {package}, or leave it out with --without {part})"
    for unit in (*manifest.units, *manifest.templates):
        if not any(Path(folder, unit).exists() for folder in UNIT_FOLDERS):
            yield f"the product: {unit} is not installed"
    yield from _strangers(manifest)
    for user in manifest.accounts:
        try:
            pwd.getpwnam(user)
        except KeyError:
            yield f"the product: there is no account {user}"
    if shutil.disk_usage("/var/lib").free < ROOM_NEEDED:
        yield f"{ROOM_NEEDED >> 20} MiB of room below /var/lib"


def _started(unit: str) -> list[str]:
    """Programs that the unit's files start, drop-ins of others included; an empty assignment forgets the earlier."""
    found: list[str] = []
    for line in run("systemctl", "cat", unit, check=False).stdout.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "ExecStart":
            found = [*found, value.split()[0].lstrip("-@:+!|")] if value.split() else []
    return found


def _strangers(manifest: Manifest) -> Iterator[str]:
    """Units under the product's names that are somebody else's: hardening them would break them."""
    for unit, program in manifest.programs.items():
        started = _started(unit)
        if started and started != [program]:
            told = ", ".join(started)
            yield f"the product: {unit} starts {told}, not {program}; another vendor's? rename or remove that unit"


def prerequisites(manifest: Manifest) -> None:
    """Raises `RefusedError` that lists everything that is missing."""
    lacking = list(_lacking(manifest))
    if lacking:
        raise RefusedError("prerequisites are missing: " + "; ".join(lacking))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory < MEMORY_WANTED:
        say(f"note: {memory / 2**30:.1f} GiB of memory; {MEMORY_WANTED >> 30} GiB are recommended")


def validate(manifest: Manifest) -> None:
    """Raises `RefusedError` that lists everything that does not fit this machine."""
    wrong = [complaint for entry in manifest.hardening for complaint in proving.of_file(manifest, entry)]
    wrong += proving.of_units(manifest)
    wrong += [f"this kernel has no {name}" for name in manifest.sysctl_names() if not proc_sys(name).exists()]
    if wrong:
        raise RefusedError("the hardening does not fit this machine: " + "; ".join(wrong))
