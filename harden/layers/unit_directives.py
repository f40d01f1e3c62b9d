"""The directives of systemd units that controls may set, and how `systemctl show` prints them back.

Every one of them exists in systemd 252 and 257. A directive that is not in the table is refused, because a
misspelt one would be ignored by systemd with a warning that nobody reads.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal[
    "flag", "word", "octal", "number", "size", "seconds", "words", "bind", "families", "ip", "capabilities", "calls"
]
"""How the value is written, and so how it is read back."""

FLAGS = (
    "NoNewPrivileges",
    "PrivateTmp",
    "PrivateDevices",
    "PrivateNetwork",
    "PrivateMounts",
    "PrivateIPC",
    "ProtectKernelTunables",
    "ProtectKernelModules",
    "ProtectKernelLogs",
    "ProtectControlGroups",
    "ProtectClock",
    "ProtectHostname",
    "RestrictNamespaces",
    "RestrictRealtime",
    "RestrictSUIDSGID",
    "LockPersonality",
    "MemoryDenyWriteExecute",
    "RemoveIPC",
    "Delegate",
)
WORDS = (
    "User",
    "Group",
    "ProtectHome",
    "ProtectSystem",
    "ProtectProc",
    "ProcSubset",
    "DevicePolicy",
    "KeyringMode",
    "SystemCallArchitectures",
    "NotifyAccess",
    "Restart",
    "OOMPolicy",
)
NUMBERS = ("TasksMax", "LimitNOFILE", "LimitNPROC", "LimitCORE", "OOMScoreAdjust", "MemorySwapMax", "StartLimitBurst")
SIZES = ("MemoryMax", "MemoryHigh", "LimitMEMLOCK", "LimitFSIZE")
LISTS = ("ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "SupplementaryGroups")

KINDS: dict[str, Kind] = {
    **dict.fromkeys(FLAGS, "flag"),
    **dict.fromkeys(WORDS, "word"),
    **dict.fromkeys(NUMBERS, "number"),
    **dict.fromkeys(SIZES, "size"),
    **dict.fromkeys(LISTS, "words"),
    "BindReadOnlyPaths": "bind",
    "UMask": "octal",
    "SystemCallErrorNumber": "word",
    "RestartSec": "seconds",
    "TimeoutStopSec": "seconds",
    "StartLimitIntervalSec": "seconds",
    "RestrictAddressFamilies": "families",
    "IPAddressAllow": "ip",
    "IPAddressDeny": "ip",
    "CapabilityBoundingSet": "capabilities",
    "AmbientCapabilities": "capabilities",
    "SystemCallFilter": "calls",
    "AppArmorProfile": "word",
}

PROPERTY = {
    "RestartSec": "RestartUSec",
    "TimeoutStopSec": "TimeoutStopUSec",
    "StartLimitIntervalSec": "StartLimitIntervalUSec",
}
"""Where `systemctl show` has another name for it."""

IN_UNIT_SECTION = ("StartLimitIntervalSec", "StartLimitBurst")

ACCUMULATING = (*LISTS, "BindReadOnlyPaths", "RestrictAddressFamilies", "IPAddressAllow", "IPAddressDeny")
"""Assignments add up over drop-ins: an empty one comes first, so that only ours remain.

The same goes for capabilities and system calls, which are written by their own rules.
"""

ERRNO = {"EPERM": "1", "EACCES": "13", "ENOSYS": "38"}

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

GROUP_MEMBERS: dict[str, tuple[str, ...]] = {
    "@clock": ("adjtimex", "clock_adjtime", "clock_settime", "settimeofday"),
    "@cpu-emulation": ("modify_ldt", "vm86"),
    "@module": ("delete_module", "finit_module", "init_module"),
    "@mount": ("chroot", "fsconfig", "fsmount", "fsopen", "mount", "move_mount", "pivot_root", "umount2"),
    "@obsolete": ("ustat", "uselib", "sysfs"),
    "@raw-io": ("ioperm", "iopl"),
    "@reboot": ("kexec_file_load", "kexec_load", "reboot"),
    "@swap": ("swapoff", "swapon"),
    "@keyring": ("add_key", "keyctl", "request_key"),
}
"""Calls of systemd's groups that are the same in 252 and 257: what a denied group has to take out of the filter."""


def size(value: str | int) -> str:
    """Bytes, as systemd prints them: `512M` is 536870912. Raises `ValueError`."""
    text = str(value)
    if text == "infinity":
        return text
    return str(int(text[:-1]) * UNITS[text[-1]]) if text[-1:] in UNITS else str(int(text))


def expanded(words: tuple[str, ...]) -> tuple[str, ...]:
    """System calls with their groups taken apart. Raises `KeyError` for a group that is not in the table."""
    calls: list[str] = []
    for word in words:
        calls += GROUP_MEMBERS[word] if word.startswith("@") else [word]
    return tuple(sorted(calls))
