"""What a service may try after it was taken over: each attempt runs inside the unit's own sandbox.

Most attempts are the same for all services, and the table says which of them a service is stopped by which control.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

from validate.guest import kernel, outside, system
from validate.guest.dbus import BusError
from validate.guest.probing import Attempt, World, probe, stopped, tried, worked

USE = {"daemon": "daemon.writes-database", "filter": "filter.reaches-web", "monitor": "monitor.sends-heartbeat"}
"""What each service has to be able to do in the very same sandbox."""

ALL = ("daemon", "filter", "monitor")


def each(
    name: str, what: str, attempt: str, controls: Mapping[str, tuple[str, ...]], act: Callable[[World], object]
) -> None:
    """Declare an attempt for each service that has controls against it; `{}` in a control is the service's key."""
    for unit, against in controls.items():

        @probe(
            f"{unit}.{name}",
            f"A compromised {unit} {what}",
            attempt,
            identity=unit,
            positive=USE[unit],
            controls=tuple(one.format(unit) for one in against),
            sandbox=unit,
        )
        def attempt_of(world: World) -> Attempt:
            return tried(attempt, lambda: act(world))


def same(*controls: str, units: tuple[str, ...] = ALL) -> dict[str, tuple[str, ...]]:
    """The same controls for these services."""
    return dict.fromkeys(units, controls)


def opened(path: str, flags: int = os.O_WRONLY) -> Callable[[World], object]:
    """Open an existing file; nothing is written to it."""
    return lambda _: os.close(os.open(path, flags | os.O_CLOEXEC))


def created(folder: str) -> Callable[[World], object]:
    """Make a file in a folder, and take it away again."""

    def act(_: World) -> str:
        path = f"{folder}/.dots-probe-{os.getpid()}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        os.unlink(path)  # noqa: PTH108 - os throughout
        return path

    return act


def home(world: World) -> list[str]:
    """List the parent's home: enough to know that it is there to be read."""
    return os.listdir(f"/home/{world.people['parent']}")  # noqa: PTH208


def shell(_: World) -> str:
    """Run a shell that only exits."""
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 7"], {})
    status = os.waitpid(pid, 0)[1]
    if os.WEXITSTATUS(status) != 7:
        raise PermissionError(13, f"the shell ended with {status}")
    return "a shell"


def setuid_file(folder: Callable[[World], str]) -> Callable[[World], object]:
    """Make a set-uid file, and take it away again."""

    def act(world: World) -> str:
        path = f"{folder(world)}/.dots-setuid-{os.getpid()}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            os.chmod(path, 0o4755)  # noqa: PTH101, S103 - that is the attempt
            if not os.stat(path).st_mode & 0o4000:  # noqa: PTH116
                raise PermissionError(1, "the bit did not stay")
        finally:
            os.unlink(path)  # noqa: PTH108
        return path

    return act


def connected(world: World) -> str:
    """Connect to the SSH server at this machine's outer address: a neighbour, as far as a sandbox can tell."""
    socket.create_connection((world.host, 22), timeout=3).close()
    return f"{world.host}:22"


def raw_socket(_: World) -> str:
    """A socket that sees every packet."""
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300).close()
    return "a packet socket"


def realtime(_: World) -> str:
    """Ask for real-time scheduling."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return "real-time priority"


def trace_sibling(_: World) -> str:
    """Trace another process of the same user: a child of our own that does nothing."""
    pid = os.fork()
    if pid == 0:
        time.sleep(30)
        os._exit(0)
    try:
        return kernel.attach(pid)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def parents_method(world: World) -> str:
    """Call what only a parent may call. A refusal by the bus is an `OSError` for `tried`, like any other."""
    return str(world.call("ListProfiles"))


SECRETS = {
    "daemon": ("files.shadow", "systemd.daemon.account", "apparmor.daemon.denies-secrets"),
    "filter": ("files.shadow", "apparmor.filter.denies-secrets"),
    "monitor": ("files.shadow", "apparmor.monitor.denies-secrets"),
}
each("reads-shadow", "reads the password hashes", "open /etc/shadow", SECRETS, opened("/etc/shadow", os.O_RDONLY))
each(
    "reads-homes",
    "looks into the parent's home",
    "list the folder",
    {
        "daemon": ("systemd.daemon.protect-home", "apparmor.daemon.denies-homes"),
        "filter": ("systemd.filter.protect-home", "apparmor.filter.denies-secrets"),
    },
    home,
)
each(
    "writes-etc",
    "writes to /etc",
    "make a file in /etc",
    {
        "daemon": ("systemd.daemon.protect-system", "apparmor.daemon.denies-system"),
        "filter": ("systemd.filter.protect-system", "apparmor.filter.denies-writes"),
        "monitor": ("systemd.monitor.protect-system", "apparmor.monitor.denies-system"),
    },
    created("/etc"),
)
each(
    "writes-programs",
    "changes installed programs",
    "make a file in /usr/bin",
    {"daemon": ("systemd.daemon.protect-system", "apparmor.daemon.denies-system")},
    created("/usr/bin"),
)
each(
    "writes-own-settings",
    "changes its own settings",
    "open its environment file to write",
    {"daemon": ("systemd.daemon.protect-system", "files.daemon-configuration", "apparmor.daemon.denies-system")},
    lambda world: os.close(os.open(world.product["configuration"]["daemon"], os.O_WRONLY)),
)
each(
    "writes-own-rules",
    "changes its own block list",
    "open the list to write",
    {"filter": ("systemd.filter.protect-system", "files.block-list", "apparmor.filter.denies-writes")},
    lambda world: os.close(os.open(world.product["filter"]["block_list"], os.O_WRONLY)),
)
each(
    "reads-database",
    "reads the family's database",
    "open the database",
    {
        "filter": ("files.state", "files.database", "apparmor.filter.denies-secrets"),
        "monitor": ("files.state", "files.database", "apparmor.monitor.denies-secrets"),
    },
    lambda world: os.close(os.open(world.product["paths"]["database"], os.O_RDONLY)),
)
each(
    "erases-audit-log",
    "changes the audit log",
    "open it to write",
    {"daemon": ("systemd.daemon.account", "systemd.daemon.protect-system", "audit.log-is-roots")},
    opened("/var/log/audit/audit.log"),
)
each(
    "changes-kernel-settings",
    "changes kernel settings",
    "open /proc/sys/kernel/core_pattern to write",
    {"daemon": ("systemd.daemon.protect-kernel-tunables", "apparmor.daemon.denies-kernel")},
    opened("/proc/sys/kernel/core_pattern"),
)
each(
    "reads-disk",
    "reads the disk under the file system",
    "open the first disk",
    {"daemon": ("systemd.daemon.private-devices", "systemd.daemon.device-policy")},
    opened("/dev/vda", os.O_RDONLY),
)
each(
    "reads-kernel-log",
    "reads the kernel's log",
    "syslog(2)",
    {"daemon": ("systemd.daemon.protect-kernel-logs",)},
    lambda _: kernel.kernel_log(),
)
each(
    "loads-module",
    "loads a kernel module",
    "init_module(2)",
    {"daemon": ("systemd.daemon.protect-kernel-modules", "systemd.daemon.syscall-deny-system")},
    lambda _: kernel.load_module(),
)
each(
    "mounts",
    "mounts a file system",
    "mount(2) on /mnt",
    {"daemon": ("systemd.daemon.syscall-deny-namespaces", "apparmor.daemon.denies-mounts")},
    lambda _: kernel.mount_tmpfs("/mnt"),
)
each(
    "makes-namespace",
    "makes a user namespace",
    "unshare(CLONE_NEWUSER)",
    same("systemd.{}.restrict-namespaces", "systemd.{}.syscall-deny-namespaces"),
    lambda _: kernel.call("unshare", kernel.CLONE_NEWUSER),
)
each(
    "joins-namespace",
    "leaves its view of the file system",
    "setns(2) to process 1",
    {"daemon": ("systemd.daemon.restrict-namespaces", "systemd.daemon.syscall-deny-namespaces")},
    lambda _: kernel.join_namespace("/proc/1/ns/mnt"),
)
each(
    "writes-init-memory",
    "writes into process 1",
    "process_vm_writev(2)",
    {"daemon": ("systemd.daemon.account", "systemd.daemon.syscall-deny-inspection")},
    lambda _: kernel.write_memory(1),
)
each(
    "traces-process",
    "traces a process of its own user",
    "PTRACE_ATTACH",
    same("systemd.{}.syscall-deny-inspection"),
    trace_sibling,
)
each(
    "runs-injected-code",
    "runs code that it has written",
    "mmap(2), writable and executable",
    same("systemd.{}.memory-deny-write-execute"),
    lambda _: kernel.writable_code(),
)
each(
    "takes-foreign-program",
    "takes hold of another owner's eBPF program, as it would to detach it",
    "bpf(2), opening programs by their numbers",
    {"daemon": ("systemd.daemon.capability-bounds", "systemd.daemon.account")},
    lambda _: kernel.foreign_program(),
)
each("opens-raw-socket", "sees every packet", "a packet socket", same("systemd.{}.address-families"), raw_socket)
each(
    "reaches-network",
    "reaches the network",
    "connect to another service",
    {unit: (f"systemd.{unit}.address-families", f"systemd.{unit}.ip-deny") for unit in ("daemon", "monitor")},
    connected,
)
each(
    "sets-clock",
    "sets the clock",
    "clock_settime(2)",
    {"daemon": ("systemd.daemon.protect-clock", "systemd.daemon.syscall-deny-system")},
    lambda _: time.clock_settime(time.CLOCK_REALTIME, time.time()),
)
each(
    "takes-priority",
    "takes real-time priority",
    "sched_setscheduler(2)",
    {"daemon": ("systemd.daemon.restrict-realtime",)},
    realtime,
)
each(
    "runs-shell",
    "starts a shell",
    "exec /bin/sh",
    same("apparmor.{}.denies-programs", units=("filter", "monitor")) | {"daemon": ("apparmor.daemon.denies-shells",)},
    shell,
)
each(
    "uses-bpf",
    "uses eBPF",
    "bpf(2), making a map",
    {
        "filter": ("systemd.filter.syscall-deny-privileged", "sysctl.unprivileged-bpf"),
        "monitor": ("systemd.monitor.syscall-deny-privileged", "sysctl.unprivileged-bpf"),
    },
    lambda _: kernel.create_map(),
)
each(
    "makes-setuid-file",
    "leaves a set-uid file behind",
    "chmod 4755",
    {"daemon": ("systemd.daemon.restrict-suid-sgid",)},
    setuid_file(lambda world: str(world.product["paths"]["state"])),
)
each(
    "makes-setuid-file",
    "leaves a set-uid file behind",
    "chmod 4755",
    {"monitor": ("systemd.monitor.restrict-suid-sgid",)},
    setuid_file(lambda _: "/tmp"),  # noqa: S108 - its own, if it is private
)
each(
    "calls-parents-methods",
    "calls a parent's method",
    "ListProfiles on the bus",
    {"filter": ("dbus.default-deny", "apparmor.filter.denies-bus"), "monitor": ("dbus.children", "dbus.default-deny")},
    parents_method,
)


@probe(
    USE["daemon"],
    "The daemon's sandbox lets it write its database",
    "make a file beside the database and open the database to write",
    identity="daemon",
    kind="positive",
    sandbox="daemon",
)
def writes_database(world: World) -> Attempt:
    """In the same sandbox as all attempts of the daemon."""
    path = created(world.product["paths"]["state"])(world)
    os.close(os.open(world.product["paths"]["database"], os.O_RDWR | os.O_CLOEXEC))
    return worked(f"made {path}", f"opened {world.product['paths']['database']}")


@probe(
    "daemon.uses-bpf",
    "The daemon's sandbox lets it use eBPF",
    "bpf(2), making a map",
    identity="daemon",
    kind="positive",
    sandbox="daemon",
)
def daemon_uses_bpf(_: World) -> Attempt:
    """Its work."""
    return worked(kernel.create_map())


@probe(
    USE["filter"],
    "The filter's sandbox lets it reach the web",
    "connect to a server, and read the block list",
    identity="filter",
    kind="positive",
    sandbox="filter",
)
def reaches_web(world: World) -> Attempt:
    """The server is the host outside."""
    size = len(system.read(world.product["filter"]["block_list"]))
    reached = outside.connect(outside.V4, 443), outside.connect(outside.V6, 80)
    return worked(*reached, f"read {size} bytes of the block list")


@probe(
    USE["monitor"],
    "The monitor's sandbox lets it report",
    "SendHeartbeat on the bus",
    identity="monitor",
    kind="positive",
    sandbox="monitor",
)
def sends_heartbeat(world: World) -> Attempt:
    """As the child, for the child."""
    try:
        said = world.call("SendHeartbeat", world.people["child"])
    except BusError as error:
        return stopped(f"{error.name}: {error.message}")
    return worked(f"SendHeartbeat: {said}")
