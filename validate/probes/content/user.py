"""What any account of the machine may try, and what can be reached from outside of it."""

from __future__ import annotations

import os
import socket

from validate.guest import kernel, outside, system
from validate.guest.dbus import BusError, Connection
from validate.guest.probing import Attempt, World, probe, stopped, tried, worked

# A plausible value for each argument of each signature; a method that is reached with them has been reached.
SAMPLES = {"s": "probe", "b": True, "u": 1, "i": 1}
RULES = 5000
REFUSED = ("org.freedesktop.DBus.Error.AccessDenied", "org.freedesktop.DBus.Error.AuthFailed")


@probe(
    "user.sweeps-bus",
    "An account outside the family calls the daemon's methods",
    "every method of the product on the bus, with plausible arguments",
    identity="user",
    positive="use.child-asks",
    controls=("dbus.default-deny",),
    seconds=40,
)
def sweeps_bus(world: World) -> Attempt:
    """An error of the daemon's own counts as reached; only the bus may refuse."""
    reached: list[str] = []
    refused: list[str] = []
    for group in world.product["bus"]["methods"].values():
        for member, about in group.items():
            words = [SAMPLES.get(code, "probe") for code in about.get("arguments", "")]
            try:
                world.call(member, *words)
                reached.append(member)
            except BusError as error:
                (refused if error.name in REFUSED else reached).append(member)
    return Attempt(bool(reached), (f"reached: {' '.join(reached)}", f"refused by the bus: {' '.join(refused)}"))


@probe(
    "user.uses-bpf",
    "An ordinary account uses eBPF",
    "bpf(2), making a map",
    identity="user",
    positive="daemon.uses-bpf",
    controls=("sysctl.unprivileged-bpf",),
)
def uses_bpf(_: World) -> Attempt:
    """The kernel's verifier has been the way in more than once."""
    return tried("bpf", kernel.create_map)


@probe(
    "user.counts-kernel",
    "An ordinary account measures the kernel",
    "perf_event_open(2) that includes the kernel",
    identity="user",
    controls=("sysctl.perf-paranoid",),
)
def counts_kernel(_: World) -> Attempt:
    """Counters tell where the kernel is."""
    return tried("perf_event_open", kernel.count_cycles)


@probe(
    "user.makes-namespace",
    "An ordinary account becomes root of a user namespace",
    "unshare(CLONE_NEWUSER)",
    identity="user",
    controls=("sysctl.user-namespaces",),
)
def makes_namespace(_: World) -> Attempt:
    """It opens parts of the kernel that only root could reach before."""
    return tried("unshare", lambda: kernel.call("unshare", kernel.CLONE_NEWUSER))


@probe(
    "user.handles-faults",
    "An ordinary account holds up the kernel's page faults",
    "userfaultfd(2), kernel faults included",
    identity="user",
    controls=("sysctl.userfaultfd",),
)
def handles_faults(_: World) -> Attempt:
    """It turns races in the kernel into certainties."""
    return tried("userfaultfd", lambda: os.close(kernel.call("userfaultfd", os.O_CLOEXEC)))


def about_daemon(name: str, title: str, file: str) -> None:
    """Declare the attempt to look into the daemon's process."""

    @probe(f"user.{name}", title, f"open /proc/PID/{file}", identity="user", controls=("systemd.daemon.account",))
    def act(world: World) -> Attempt:
        path = f"/proc/{system.main_pid(world.unit('daemon'))}/{file}"
        return tried(f"read {path}", lambda: len(system.read(path, 64)))


about_daemon("reads-daemon-environment", "An ordinary account reads the daemon's environment", "environ")
about_daemon("reads-daemon-memory", "An ordinary account reads the daemon's memory", "mem")


@probe(
    "user.reads-kernel-log",
    "An ordinary account reads the kernel's log",
    "syslog(2)",
    identity="user",
    controls=("sysctl.dmesg-restrict",),
)
def reads_kernel_log(_: World) -> Attempt:
    """It tells addresses and what else runs."""
    return tried("syslog", kernel.kernel_log)


@probe(
    "user.learns-addresses",
    "An ordinary account learns where the kernel's functions are",
    "addresses in /proc/kallsyms",
    identity="user",
    controls=("sysctl.kptr-restrict",),
)
def learns_addresses(_: World) -> Attempt:
    """Zeros are no addresses."""
    first = system.read("/proc/kallsyms", 400).splitlines()[:5]
    known = [line for line in first if line.split(" ", 1)[0].strip("0")]
    return worked(*known) if known else stopped(*first[:2])


@probe(
    "user.reads-database",
    "An ordinary account reads the family's database",
    "open the database",
    identity="user",
    positive="use.daemon-sees-exec",
    controls=("files.state", "files.database"),
)
def reads_database(world: World) -> Attempt:
    """Who ran what and when is nobody else's business."""
    path = world.product["paths"]["database"]
    return tried(f"open {path}", lambda: os.close(os.open(path, os.O_RDONLY)))


@probe(
    "user.becomes-root",
    "An ordinary account becomes root by sudo",
    "sudo -n true",
    identity="user",
    controls=("files.sudoers",),
)
def becomes_root(world: World) -> Attempt:
    """-n: without asking for a password."""

    def ask() -> str:
        status, said = system.command("sudo", "-n", "true", seconds=world.patience(8))
        if status:
            raise PermissionError(13, said[-120:] or f"status {status}")
        return "root"

    return tried("sudo", ask)


@probe(
    "user.floods-bus",
    "An ordinary account fills the bus with rules",
    "AddMatch again and again on one connection",
    identity="user",
    positive="use.child-asks",
    controls=("dbus.default-deny",),
    seconds=30,
)
def floods_bus(_: World) -> Attempt:
    """The bus compares every message with every rule: it has to say stop."""
    with Connection() as bus:
        for number in range(RULES):
            try:
                bus.bus("AddMatch", "s", f"type='signal',arg0='{number}'")
            except BusError as error:
                return stopped(f"after {number}: {error.name}: {error.message}")
    return worked(f"{RULES} rules on one connection")


def open_ports(address: str, also: int) -> list[int]:
    """Ports below 1100, and one more, that take connections."""
    found = []
    for port in (*range(1, 1100), also):
        with socket.socket() as link:
            link.settimeout(0.5)
            if link.connect_ex((address, port)) == 0:
                found.append(port)
    return found


@probe(
    "remote.scans-ports",
    "Another machine finds more than SSH",
    "connect to every port below 1100 and to the filter's, from the host outside",
    identity="remote",
    positive="use.web-allowed",
    controls=("network.exposed",),
    seconds=40,
)
def scans_ports(world: World) -> Attempt:
    """From another network namespace, by way of the wire between them."""
    if not world.outside:
        return Attempt(succeeded=None, evidence=("there is no host outside",))
    port = world.product["filter"]["port"]
    ended = outside.from_outside(world.outside, open_ports, outside.OURS_V4, port, seconds=world.patience(30))
    if ended.error or 22 not in ended.value:
        return Attempt(succeeded=None, evidence=(ended.error or f"not even SSH answers: {ended.value}",))
    return Attempt(ended.value != [22], (f"ports that answer: {ended.value}",))


@probe(
    "remote.reaches-proxy",
    "The filter can be reached from another machine",
    "connect to its port from the host outside, over IPv4 and IPv6",
    identity="remote",
    positive="use.web-allowed",
    controls=("network.exposed",),
)
def reaches_proxy(world: World) -> Attempt:
    """An open proxy is everybody's proxy."""
    if not world.outside:
        return Attempt(succeeded=None, evidence=("there is no host outside",))
    port = world.product["filter"]["port"]
    addresses = (outside.OURS_V4, outside.OURS_V6)
    ways = [outside.from_outside(world.outside, outside.connect, address, port) for address in addresses]
    return Attempt(any(not one.error for one in ways), [str(one.value or one.error) for one in ways])


@probe(
    "remote.offered-password",
    "SSH lets one log in with a password",
    "ask the SSH server which methods it offers",
    identity="remote",
    controls=("ssh.no-passwords",),
    seconds=25,
)
def offered_password(world: World) -> Attempt:
    """The methods stand in the refusal."""
    options = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "PreferredAuthentications=none")
    words = [word for one in options for word in ("-o", one)]
    _, said = system.command("ssh", "-F", "none", *words, f"root@{world.host}", "true", seconds=world.patience(20))
    last = (said.splitlines() or ["no answer"])[-1]
    if "Permission denied" not in last:
        return Attempt(succeeded=None, evidence=(last,))
    return worked(last) if "password" in last or "keyboard" in last else stopped(last)
