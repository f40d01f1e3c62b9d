"""The kernel's own protection, the machine's mounts, and the command line of the next boot."""

from __future__ import annotations

import re
from typing import Any

from validate.facts.guest.context import Context, Reader
from validate.facts.guest.processes import parse_mountinfo

SECURE_BOOT = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
VULNERABILITIES = "/sys/devices/system/cpu/vulnerabilities"
ENTRIES = ("/boot/efi/loader/entries", "/boot/loader/entries", "/efi/loader/entries")


def selected(text: str | None) -> str | None:
    """The word in square brackets of `none [integrity] confidentiality`; None where there is no such file."""
    match = re.search(r"\[([\w-]+)\]", text or "")
    return match.group(1) if match else None


def parse_entry(text: str) -> str:
    """Kernel command line of a boot loader entry: its `options` lines, joined as the loader does."""
    lines = (line.split(None, 1) for line in text.splitlines())
    return " ".join(words[1].strip() for words in lines if len(words) == 2 and words[0] == "options")


def loader(reader: Reader) -> dict[str, str]:
    """Entries of the boot loader, by path."""
    found = {}
    for folder in ENTRIES:
        for name in reader.some_names(folder):
            if name.endswith(".conf"):
                found[f"{folder}/{name}"] = parse_entry(reader.text(f"{folder}/{name}"))
    return found


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().lstrip("-").isdigit() else None


def collect(context: Context) -> dict[str, Any]:
    """The sections `kernel`, `mounts` and `loader`."""
    reader = context.reader
    variable = reader.bytes(SECURE_BOOT) if reader.exists(SECURE_BOOT) else b""
    lsm = reader.optional("/sys/kernel/security/lsm")
    signed = reader.optional("/sys/module/module/parameters/sig_enforce")
    modules = (line.split()[0] for line in (reader.optional("/proc/modules") or "").splitlines())
    mounts = parse_mountinfo(reader.text("/proc/1/mountinfo"))
    return {
        "kernel": {
            "lockdown": selected(reader.optional("/sys/kernel/security/lockdown")),
            "lsm": lsm.strip().split(",") if lsm else [],
            "taint": _number(reader.optional("/proc/sys/kernel/tainted")),
            "modules_disabled": reader.optional("/proc/sys/kernel/modules_disabled") == "1\n",
            "kexec_loaded": (reader.optional("/sys/kernel/kexec_loaded") or "").strip() == "1",
            "cap_last_cap": _number(reader.optional("/proc/sys/kernel/cap_last_cap")),
            "module_signatures_enforced": signed.strip() == "Y" if signed else None,
            "modules": sorted(modules),
            "efi": reader.exists("/sys/firmware/efi"),
            "secure_boot": bool(variable[4]) if len(variable) > 4 else None,
            "vulnerabilities": {
                name: reader.text(f"{VULNERABILITIES}/{name}").strip() for name in reader.some_names(VULNERABILITIES)
            },
        },
        "mounts": {mount.pop("point"): mount for mount in mounts},
        "loader": loader(reader),
    }
