"""What the kernel holds for eBPF: programs, links and who holds them, asked through bpf(2) itself."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import Any

from validate.facts.guest.context import Context, CouldNotLookError
from validate.facts.guest.processes import descriptors, own_pid

# Commands of bpf(2), linux/bpf.h.
PROGRAM_NEXT, PROGRAM_OPEN, INFO, LINK_OPEN, LINK_NEXT = 11, 13, 15, 30, 31
SYSCALL = {"x86_64": 321, "aarch64": 280}
_PROGRAM_TYPES = (
    "unspec socket_filter kprobe sched_cls sched_act tracepoint xdp perf_event cgroup_skb cgroup_sock lwt_in lwt_out "
    "lwt_xmit sock_ops sk_skb cgroup_device sk_msg raw_tracepoint cgroup_sock_addr lwt_seg6local lirc_mode2 "
    "sk_reuseport flow_dissector cgroup_sysctl raw_tracepoint_writable cgroup_sockopt tracing struct_ops ext lsm "
    "sk_lookup syscall netfilter"
)
_LINK_TYPES = (
    "unspec raw_tracepoint tracing cgroup iter netns xdp perf_event kprobe_multi struct_ops netfilter tcx uprobe_multi "
    "netkit sockmap"
)
PROGRAM_TYPES, LINK_TYPES = _PROGRAM_TYPES.split(), _LINK_TYPES.split()
INFO_SIZE = 232
"""sizeof(struct bpf_prog_info) of Linux 6.x; older kernels fill less and say how much."""
RUN_COUNT_END = 208


def named(names: list[str], number: int) -> str:
    """Name by number; one newer than the list stays a number, as text."""
    return names[number] if number < len(names) else str(number)


def parse_program(raw: bytes, filled: int) -> dict[str, Any]:
    """`struct bpf_prog_info`, of which the kernel filled the first `filled` bytes."""
    kind, number = struct.unpack_from("<II", raw, 0)
    (uid,) = struct.unpack_from("<I", raw, 48)
    name = raw[64:80].split(b"\0")[0].decode(errors="backslashreplace")
    runs = struct.unpack_from("<QQ", raw, 192) if filled >= RUN_COUNT_END else (0, None)
    return {
        "id": number,
        "name": name,
        "type": named(PROGRAM_TYPES, kind),
        "tag": raw[8:16].hex(),
        "loaded_uid": uid,
        "run_time_ns": runs[0],
        "run_cnt": runs[1],
    }


def parse_fdinfo(text: str) -> dict[str, int]:
    """Numbers of `/proc/PID/fdinfo/FD`: `prog_id`, `link_id`, `map_id` and the like."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {key.strip(): int(value) for key, value in pairs if value.strip().isdigit()}


class Kernel:
    """bpf(2). Every call raises `OSError` with the kernel's reason."""

    def __init__(self) -> None:
        """Find the system call. Raises `CouldNotLookError` on an architecture that is not known."""
        number = SYSCALL.get(os.uname().machine)
        if number is None:
            raise CouldNotLookError(f"bpf(2): its number on {os.uname().machine} is not known")
        self._number = number
        self._library = ctypes.CDLL(None, use_errno=True)

    def call(self, command: int, attributes: bytearray) -> int:
        """One call; the kernel's answers are written into `attributes`."""
        buffer = (ctypes.c_char * len(attributes)).from_buffer(attributes)
        result = int(self._library.syscall(self._number, command, buffer, len(attributes)))
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"bpf command {command}: {os.strerror(number)}")
        return result

    def ids(self, command: int) -> list[int]:
        """All ids of programs (or links), in order."""
        found: list[int] = []
        while True:
            attributes = bytearray(struct.pack("<III", found[-1] if found else 0, 0, 0))
            try:
                self.call(command, attributes)
            except OSError as error:
                if error.errno == errno.ENOENT:  # that was the last
                    return found
                raise
            found.append(struct.unpack_from("<I", attributes, 4)[0])

    def info(self, command: int, number: int) -> tuple[bytes, int]:
        """What the kernel tells of one id, and how many bytes of it. Raises `FileNotFoundError` if it is gone."""
        descriptor = self.call(command, bytearray(struct.pack("<III", number, 0, 0)))
        try:
            buffer = ctypes.create_string_buffer(INFO_SIZE)
            attributes = bytearray(struct.pack("<IIQ", descriptor, INFO_SIZE, ctypes.addressof(buffer)))
            self.call(INFO, attributes)
            return buffer.raw, struct.unpack_from("<I", attributes, 4)[0]
        finally:
            os.close(descriptor)


def holders(context: Context) -> dict[tuple[str, int], set[int]]:
    """(`prog_id` or `link_id`, number) to the processes that hold a descriptor of it."""
    found: dict[tuple[str, int], set[int]] = {}
    for pid, table in context.once("descriptors", descriptors).items():
        for number, target in table:
            if not target.startswith("anon_inode:bpf") or pid == own_pid():
                continue
            try:
                info = parse_fdinfo(context.reader.text(f"/proc/{pid}/fdinfo/{number}"))
            except FileNotFoundError:
                continue  # closed since
            for key in ("prog_id", "link_id"):
                if key in info:
                    found.setdefault((key, info[key]), set()).add(pid)
    return found


def _links(kernel: Kernel, held: dict[tuple[str, int], set[int]]) -> list[dict[str, Any]]:
    links = []
    for number in kernel.ids(LINK_NEXT):
        try:
            raw, _ = kernel.info(LINK_OPEN, number)
        except FileNotFoundError:
            continue  # gone since
        kind, _, program = struct.unpack_from("<III", raw, 0)
        pids = sorted(held.get(("link_id", number), ()))
        links.append({"id": number, "type": named(LINK_TYPES, kind), "program": program, "holders": pids})
    return links


def collect(context: Context) -> dict[str, Any]:
    """The section `bpf`."""
    held = holders(context)
    kernel = Kernel()
    programs = []
    for number in kernel.ids(PROGRAM_NEXT):
        try:
            program = parse_program(*kernel.info(PROGRAM_OPEN, number))
        except FileNotFoundError:
            continue  # unloaded since
        programs.append({**program, "holders": sorted(held.get(("prog_id", number), ()))})
    links = _links(kernel, held)
    attached = {link["program"] for link in links}
    return {
        "bpf": {
            "programs": [{**program, "linked": program["id"] in attached} for program in programs],
            "links": links,
        }
    }
