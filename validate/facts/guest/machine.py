"""Which machine this is, which boot, and how it is."""

from __future__ import annotations

import ctypes
import os
import shlex
import sys
from typing import Any

from validate.facts.guest.context import Context, CouldNotLookError
from validate.facts.guest.units import parse_show

FAILED = ("systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "--no-pager", "--full")
STATE = ("systemctl", "show", "--property=SystemState,NFailedUnits")
"""The manager's own properties. Only where some unit failed is it asked again, which ones."""
UNSYNCHRONISED = 0x40
"""STA_UNSYNC of adjtimex(2)."""


def parse_os_release(text: str) -> dict[str, str]:
    """`/etc/os-release`, quotes taken off."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.isidentifier():
            found[key] = " ".join(_unquoted(value))
    return found


def _unquoted(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:
        return [value]


def clock() -> dict[str, Any]:
    """Whether the kernel holds its clock for synchronised. Raises `CouldNotLookError`."""
    buffer = ctypes.create_string_buffer(256)  # struct timex, with nothing to set: modes is 0
    if ctypes.CDLL(None, use_errno=True).adjtimex(buffer) < 0:
        raise CouldNotLookError("adjtimex: refused")
    status = ctypes.c_int.from_buffer(buffer, 40).value
    return {"synchronized": not status & UNSYNCHRONISED}


def collect(context: Context) -> dict[str, Any]:
    """The section `machine`."""
    reader = context.reader
    (manager,) = parse_show(context.commands.output(*STATE))
    failed = "" if manager["NFailedUnits"] == "0" else context.commands.output(*FAILED)
    return {
        "machine": {
            "hostname": reader.text("/proc/sys/kernel/hostname").strip(),
            "os": parse_os_release(reader.text("/etc/os-release")),
            "kernel": reader.text("/proc/sys/kernel/osrelease").strip(),
            "architecture": os.uname().machine,
            "boot_id": reader.text("/proc/sys/kernel/random/boot_id").strip(),
            "machine_id": reader.text("/etc/machine-id").strip(),
            "cmdline": reader.text("/proc/cmdline").split(),
            "uptime": float(reader.text("/proc/uptime").split()[0]),
            "state": manager["SystemState"],
            "failed": [line.split()[0] for line in failed.splitlines() if line.split()],
            "python": ".".join(str(part) for part in sys.version_info[:3]),
            "clock": clock(),
        }
    }
