"""System calls that Python's library does not offer, by number, and errors as the kernel gives them."""

from __future__ import annotations

import ctypes
import mmap
import os
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)

# x86_64 has numbers of its own; the others (arm64, riscv64) share one table.
_X86 = {
    "ptrace": 101,
    "add_key": 248,
    "unshare": 272,
    "setns": 308,
    "init_module": 175,
    "mount": 165,
    "bpf": 321,
    "userfaultfd": 323,
    "perf_event_open": 298,
    "process_vm_writev": 311,
    "capget": 125,
    "capset": 126,
    "syslog": 103,
    "sethostname": 170,
    "kexec_load": 246,
}
_GENERIC = {
    "ptrace": 117,
    "add_key": 217,
    "unshare": 97,
    "setns": 268,
    "init_module": 105,
    "mount": 40,
    "bpf": 280,
    "userfaultfd": 282,
    "perf_event_open": 241,
    "process_vm_writev": 271,
    "capget": 90,
    "capset": 91,
    "syslog": 116,
    "sethostname": 161,
    "kexec_load": 104,
}
NUMBERS = _X86 if os.uname().machine == "x86_64" else _GENERIC

PTRACE_ATTACH, PTRACE_DETACH = 16, 17
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
BPF_MAP_CREATE = 0


def call(name: str, *arguments: object) -> int:
    """Make a system call. Raises `OSError` with the kernel's errno."""
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    result = int(_LIBC.syscall(ctypes.c_long(NUMBERS[name]), *words))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def create_map() -> str:
    """Make an eBPF array map of one element, and drop it again."""
    attributes = struct.pack("<IIII", 2, 4, 4, 1).ljust(128, b"\0")
    os.close(call("bpf", BPF_MAP_CREATE, ctypes.c_char_p(attributes), len(attributes)))
    return "an eBPF map"


def foreign_program(most: int = 400) -> str:
    """Open an eBPF program that is not ours, by its number (BPF_PROG_GET_FD_BY_ID). Raises `OSError`."""
    for number in range(1, most):
        attributes = struct.pack("<III", number, 0, 0).ljust(128, b"\0")
        try:
            os.close(call("bpf", 13, ctypes.c_char_p(attributes), len(attributes)))
        except OSError as error:
            if error.errno != 2:  # ENOENT: nobody's number
                raise
            continue
        return f"program {number}"
    raise OSError(2, "there is no program to take")


def same_capabilities() -> str:
    """Set our own capabilities to what they are."""
    head, data = ctypes.create_string_buffer(struct.pack("<II", 0x20080522, 0)), ctypes.create_string_buffer(24)
    call("capget", head, data)
    call("capset", head, data)
    return "the same capabilities"


def count_cycles() -> str:
    """Open a counter of the kernel's own CPU cycles."""
    # type software, config CPU_CLOCK; exclude nothing, so that the kernel itself is measured
    attributes = struct.pack("<IIQ", 1, 128, 0).ljust(128, b"\0")
    os.close(call("perf_event_open", ctypes.c_char_p(attributes), 0, -1, -1, 0))
    return "a performance counter that includes the kernel"


def attach(pid: int) -> str:
    """Trace a process, and let go of it again."""
    call("ptrace", PTRACE_ATTACH, pid, 0, 0)
    os.waitpid(pid, 0x40000000)  # __WALL: it is not necessarily our child
    call("ptrace", PTRACE_DETACH, pid, 0, 0)
    return f"traced process {pid}"


def write_memory(pid: int) -> str:
    """Ask to write no byte at all into another process: the permission is checked all the same."""
    vector = struct.pack("<QQ", 0x1000, 1)
    try:
        call("process_vm_writev", pid, ctypes.c_char_p(vector), 1, ctypes.c_char_p(vector), 1, 0)
    except OSError as error:
        if error.errno != 14:  # EFAULT: allowed, the addresses are nonsense on purpose
            raise
    return f"write access to the memory of process {pid}"


def load_module() -> str:
    """Hand the kernel something that is no module; that it looks at it at all is what was asked."""
    garbage = b"not a module"
    try:
        call("init_module", ctypes.c_char_p(garbage), len(garbage), ctypes.c_char_p(b""))
    except OSError as error:
        if error.errno != 8:  # ENOEXEC: it was read
            raise
    return "the kernel's module loader"


def writable_code() -> str:
    """Map memory that can be written and executed at once."""
    with mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as area:
        area.write(b"\xc3")
    return "a writable and executable page"


def kernel_log() -> str:
    """Read the kernel's log by syslog(2)."""
    room = ctypes.create_string_buffer(4096)
    return f"{call('syslog', 3, room, 4096)} bytes of the kernel's log"


def mount_tmpfs(where: str) -> str:
    """Mount a temporary file system, and take it away again."""
    call("mount", ctypes.c_char_p(b"none"), ctypes.c_char_p(where.encode()), ctypes.c_char_p(b"tmpfs"), 0, None)
    _LIBC.umount2(ctypes.c_char_p(where.encode()), 2)
    return f"a file system on {where}"


def join_namespace(path: str) -> str:
    """Enter another process's namespace. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        call("setns", descriptor, 0)
    finally:
        os.close(descriptor)
    return path
