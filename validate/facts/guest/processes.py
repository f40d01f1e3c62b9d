"""One process as the kernel sees it: identity, capabilities, confinement, mounts, descriptors, limits."""

from __future__ import annotations

import os
from typing import Any

from validate.facts.guest.context import Context, Reader

_CAPABILITIES = (
    "chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service "
    "net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct "
    "sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap "
    "mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore"
)
CAPABILITIES = tuple(f"CAP_{name.upper()}" for name in _CAPABILITIES.split())
"""Names by bit, linux/capability.h."""
_KERNEL_TYPES = (
    "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl hugetlbfs mqueue nsfs "
    "proc pstore securityfs sysfs tracefs"
)
KERNEL_TYPES = frozenset(_KERNEL_TYPES.split())
"""File systems that hold no files but the kernel's own interfaces."""
MEMORY = ("VmPeak", "VmSize", "VmHWM", "VmRSS", "VmSwap")


def capability_names(mask: str) -> list[str]:
    """Names of the bits of a hexadecimal mask, sorted; a bit newer than this list is `CAP_<number>`."""
    bits = int(mask, 16)
    numbers = [bit for bit in range(bits.bit_length()) if bits & 1 << bit]
    return sorted(CAPABILITIES[bit] if bit < len(CAPABILITIES) else f"CAP_{bit}" for bit in numbers)


def parse_status(text: str) -> dict[str, str]:
    """`/proc/PID/status` as a dictionary."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {key: value.strip() for key, colon, value in pairs if colon}


def unescape(word: str) -> str:
    r"""Undo the kernel's octal escapes (`\040` is a blank) in mount tables."""
    raw, out, index = word.encode(), bytearray(), 0
    while index < len(raw):
        digits = raw[index + 1 : index + 4]
        if raw[index] == 0x5C and len(digits) == 3 and all(0x30 <= digit <= 0x37 for digit in digits):
            out.append(int(digits, 8) & 0xFF)
            index += 4
        else:
            out.append(raw[index])
            index += 1
    return out.decode(errors="backslashreplace")


def parse_mountinfo(text: str) -> list[dict[str, Any]]:
    """`/proc/PID/mountinfo`: in mount order, so that the last of several on one point is the one that counts."""
    mounts = []
    for line in text.splitlines():
        front, dash, back = line.partition(" - ")
        words, rear = front.split(" "), back.split(" ")
        if not dash or len(words) < 6 or len(rear) < 2:
            continue
        mounts.append(
            {
                "point": unescape(words[4]),
                "options": words[5].split(","),
                "type": rear[0],
                "source": unescape(rear[1]),
                "super": rear[2].split(",") if len(rear) > 2 else [],
            }
        )
    return mounts


def writable_points(mounts: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Mount points where neither the mount nor its file system is read-only: files' and the kernel's own apart."""
    last = {mount["point"]: mount for mount in mounts}
    points = [mount for mount in last.values() if "rw" in mount["options"] and "ro" not in mount["super"]]
    return {
        "writable": sorted(mount["point"] for mount in points if mount["type"] not in KERNEL_TYPES),
        "writable_kernel": sorted(mount["point"] for mount in points if mount["type"] in KERNEL_TYPES),
    }


def parse_limits(text: str) -> dict[str, dict[str, str]]:
    """`/proc/PID/limits`: `open_files` and the like to soft and hard, as the kernel prints them."""
    limits = {}
    for line in text.splitlines()[1:]:
        name, words = line[:26].strip(), line[26:].split()
        if name.startswith("Max ") and len(words) >= 2:
            limits[name[4:].replace(" ", "_")] = {"soft": words[0], "hard": words[1]}
    return limits


def descriptors(context: Context) -> dict[int, list[tuple[int, str]]]:
    """Every process's open descriptors with their targets. A process that ends meanwhile is left out."""
    reader = context.reader
    table: dict[int, list[tuple[int, str]]] = {}
    for name in reader.names("/proc"):
        if name.isdigit():
            table[int(name)] = _descriptors_of(reader, name)
    return table


def _descriptors_of(reader: Reader, pid: str) -> list[tuple[int, str]]:
    found = []
    folder = f"/proc/{pid}/fd"
    try:
        for number in reader.names(folder):
            try:
                found.append((int(number), reader.link(f"{folder}/{number}")))
            except FileNotFoundError:
                continue  # closed since the folder was listed
    except (FileNotFoundError, ProcessLookupError):
        pass  # ended since /proc was listed: not there is the truth
    return found


def _namespaces(reader: Reader, pid: int) -> list[str]:
    """Kinds of namespace that it does not share with pid 1."""
    kinds = reader.names(f"/proc/{pid}/ns")
    return [kind for kind in kinds if reader.link(f"/proc/{pid}/ns/{kind}") != reader.link(f"/proc/1/ns/{kind}")]


def identity(status: dict[str, str], users: dict[int, str], groups: dict[int, str]) -> dict[str, Any]:
    """Who a process is; a number that has no name stays a number, as text."""
    uids = [users.get(int(word), word) for word in status["Uid"].split()]
    gids = [groups.get(int(word), word) for word in status["Gid"].split()]
    supplementary = sorted(groups.get(int(word), word) for word in status.get("Groups", "").split())
    return {"uid": uids, "gid": gids, "user": uids[1], "group": gids[1], "groups": supplementary}


def confinement(status: dict[str, str]) -> dict[str, Any]:
    """What the kernel denies it for good."""
    masks = {"cap_inh": "CapInh", "cap_prm": "CapPrm", "cap_eff": "CapEff", "cap_bnd": "CapBnd", "cap_amb": "CapAmb"}
    found: dict[str, Any] = {key: capability_names(status[name]) for key, name in masks.items()}
    found["no_new_privs"] = status["NoNewPrivs"]
    found["seccomp"] = status["Seccomp"]
    found["seccomp_filters"] = status.get("Seccomp_filters")
    found["umask"] = status.get("Umask")
    return found


def process(context: Context, pid: int) -> dict[str, Any]:
    """Everything about one process. Raises `OSError` when it is gone."""
    reader = context.reader
    folder = f"/proc/{pid}"
    names = context.once("id-names", _id_names)
    status = parse_status(reader.text(f"{folder}/status"))
    mounts = parse_mountinfo(reader.text(f"{folder}/mountinfo"))
    targets = {target for _, target in context.once("descriptors", descriptors).get(pid, [])}
    return {
        "pid": pid,
        **identity(status, *names),
        **confinement(status),
        "apparmor": _label(reader, folder),
        "exe": reader.link(f"{folder}/exe"),
        "command": reader.text(f"{folder}/cmdline").rstrip("\0").split("\0"),
        "mounts": mounts,
        **writable_points(mounts),
        "namespaces": _namespaces(reader, pid),
        "fds": sorted(target for target in targets if not target.startswith(("socket:", "pipe:"))),
        "threads": int(status["Threads"]),
        "limits": parse_limits(reader.text(f"{folder}/limits")),
        "memory": {key: int(status[key].split()[0]) * 1024 for key in MEMORY if key in status},
        "oom_score_adj": int(reader.text(f"{folder}/oom_score_adj")),
    }


def _label(reader: Reader, folder: str) -> str | None:
    """AppArmor's label, `name (mode)`; None when the kernel has no security module that labels."""
    for place in ("attr/apparmor/current", "attr/current"):
        try:
            return reader.text(f"{folder}/{place}").rstrip("\0\n")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            if error.errno != 22:  # EINVAL: no module answers here
                raise
    return None


def _id_names(context: Context) -> tuple[dict[int, str], dict[int, str]]:
    tables: list[dict[int, str]] = []
    for path in ("/etc/passwd", "/etc/group"):
        table: dict[int, str] = {}
        for line in context.reader.text(path).splitlines():
            fields = line.split(":")
            if len(fields) > 2 and fields[2].isdigit():
                table.setdefault(int(fields[2]), fields[0])
        tables.append(table)
    return tables[0], tables[1]


def id_names(context: Context) -> tuple[dict[int, str], dict[int, str]]:
    """Names of user ids and of group ids, from the machine's own tables."""
    names: tuple[dict[int, str], dict[int, str]] = context.once("id-names", _id_names)
    return names


def own_pid() -> int:
    """Process id of the collector, which is no part of what it describes."""
    return os.getpid()
