"""What a child may try against the machine: root's rights, its room and its processes, its trust in others."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress

from validate.guest import system
from validate.guest.dbus import Address, BusError, Connection
from validate.guest.probing import Attempt, World, probe, stopped, tried, worked

LOGIN = Address("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
MEBIBYTE = 1 << 20
ROOM = 2 * 60 * MEBIBYTE
"""Bytes that the disk is filled with: enough to show that nobody says stop, and gone at once."""
TASKS = 2400


def root_by(name: str, title: str, *argv: str, controls: tuple[str, ...]) -> None:
    """Declare the attempt to run something as root with a program that can do that."""

    @probe(f"child.{name}", title, " ".join(argv), identity="child", positive="use.child-asks", controls=controls)
    def act(world: World) -> Attempt:
        """Standard input is closed, so whoever asks for a password gets none."""

        def run() -> str:
            status, said = system.command(*argv, seconds=world.patience(8))
            if status:
                raise PermissionError(1, (said.splitlines() or [f"status {status}"])[-1][-160:])
            return said

        return tried(argv[0], run)


root_by("uses-sudo", "A child becomes root by sudo", "sudo", "-n", "id", "-u", controls=("files.sudoers",))
root_by("uses-su", "A child becomes root by su", "su", "--command", "id -u", controls=("accounts.root-password",))
root_by(
    "starts-root-unit",
    "A child has systemd run something as root",
    "systemd-run",
    "--quiet",
    "--no-ask-password",
    "--wait",
    "true",
    controls=("polkit.children",),
)


@probe(
    "child.lingers",
    "A child's programs go on when it has logged out",
    "SetUserLinger at systemd-logind for itself",
    identity="child",
    positive="use.child-asks",
    controls=("polkit.children",),
)
def lingers(world: World) -> Attempt:
    """What outlives the session does not care when time is up. It is taken back at once."""
    with Connection(seconds=world.patience(6)) as bus:
        attempt = tried("SetUserLinger", lambda: bus.call(LOGIN, "SetUserLinger", "ubb", os.getuid(), 1, 0) and None)
        with suppress(BusError):
            bus.call(LOGIN, "SetUserLinger", "ubb", os.getuid(), 0, 0)
    return attempt


@probe(
    "child.runs-daemon",
    "A child lets a daemon of its own take the product's place",
    "run the daemon's program with PATH and database of its own choice",
    identity="child",
    positive="use.child-asks",
    controls=("dbus.owner", "dbus.default-deny"),
    seconds=30,
)
def runs_daemon(world: World) -> Attempt:
    """It would answer the family with what the child wants it to say."""
    home, name = os.environ["HOME"], world.product["bus"]["name"]
    environment = {"PATH": f"{home}:/usr/bin", "HOME": home, "DOTS_FAMILY_DB_PATH": f"{home}/own.db"}
    environment["DOTS_FAMILY_CONFIG_DIR"] = home
    with system.started(world.product["binaries"]["daemon"], environment=environment) as own:

        def owner() -> object:
            with suppress(BusError), Connection(seconds=world.patience(3)) as bus:
                return bus.bus("GetConnectionUnixProcessID", "s", name)[0]
            return None

        system.until(lambda: own.poll() is not None or owner() == own.pid, seconds=world.patience(2), every=0.3)
        running = own.poll() is None and owner() == own.pid
        said = system.said(own)
    with suppress(OSError):
        os.unlink(f"{home}/own.db")  # noqa: PTH108 - os throughout
    return Attempt(running, (*said, f"it {'owns' if running else 'does not own'} {name}"))


def makes(name: str, title: str, path: str, control: str) -> None:
    """Declare the attempt to make a file where the system would believe it."""

    @probe(f"child.{name}", title, f"make {path}", identity="child", controls=(control,))
    def act(_: World) -> Attempt:
        def make() -> None:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
            os.unlink(path)  # noqa: PTH108

        return tried(f"make {path}", make)


OPEN = "files.nothing-world-writable"
makes("adds-authority", "A child has the machine trust an authority", "/usr/local/share/ca-certificates/x.crt", OPEN)
makes("adds-certificate", "A child adds a certificate to the trusted ones", "/etc/ssl/dots-probe.pem", OPEN)
makes("changes-start", "A child adds a unit that starts by itself", "/etc/systemd/system/dots-x.service", OPEN)
makes("changes-names", "A child makes names of hosts lead elsewhere", "/etc/hosts.dots-probe", OPEN)


@probe(
    "child.fills-disk",
    "A child fills the disk in the shared folder for temporary files",
    f"take {ROOM // MEBIBYTE} MiB of /var/tmp",
    identity="child",
    positive="use.daemon-sees-exec",
)
def fills_disk(_: World) -> Attempt:
    """There are no quotas: whoever may write can go on until nobody else can."""
    paths = [f"/var/tmp/dots-fill-{os.getpid()}-{number}" for number in range(2)]  # noqa: S108 - the attempt

    def fill() -> str:
        for path in paths:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, ROOM // len(paths))
            finally:
                os.close(descriptor)
        return f"{ROOM // MEBIBYTE} MiB"

    try:
        return tried("fill", fill)
    finally:
        for path in paths:
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108


MANY = f"""
import _thread, os
_thread.stack_size(32 << 10)
closed, started = _thread.allocate_lock(), 0
closed.acquire()
try:
    while started < {TASKS}:
        _thread.start_new_thread(closed.acquire, ())
        started += 1
except RuntimeError:
    pass
print(started, flush=True)
os._exit(0)
"""
"""Starts tasks that do nothing, until there are enough or the kernel refuses; prints how many there were."""


@probe(
    "child.forks-without-end",
    "A child forks until the machine stands still",
    f"{TASKS} tasks among the child's sessions",
    identity="root",
    positive="use.child-asks",
    controls=("sessions.tasks",),
    seconds=40,
)
def forks_without_end(world: World) -> Attempt:
    """In a unit of the child below the slice that holds all of the child's sessions, as a log-in would make one."""
    name = world.people["child"]
    scope = f"user-{pwd.getpwnam(name).pw_uid}.slice"
    unit = ("systemd-run", "--quiet", "--wait", "--pipe", f"--uid={name}", f"--slice={scope}")
    limits = ("--property=TasksMax=infinity", "--property=RuntimeMaxSec=120")
    status, said = system.command(*unit, *limits, "python3", "-I", "-c", MANY, seconds=world.patience(30))
    if status or not said.isdigit():
        return Attempt(succeeded=None, evidence=(f"status {status}: {said[-200:]}",))
    evidence = f"{said} of {TASKS} tasks below {scope}"
    return worked(evidence) if int(said) >= TASKS else stopped(evidence)
