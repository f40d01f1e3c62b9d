"""What a child may try: the family's methods and data, the services, the filter."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
import time
from collections.abc import Callable

from validate.guest import kernel, system, web
from validate.guest.dbus import Address, BusError, Connection
from validate.guest.probing import Attempt, World, probe, stopped, tried, worked

BUS = ("dbus.children", "dbus.default-deny")
SYSTEMD = Address("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
CLOCK = Address("org.freedesktop.timedate1", "/org/freedesktop/timedate1", "org.freedesktop.timedate1")
YES = True
FREE_GUESSES = 5
"""Wrong passwords that anyone may type before being made to wait."""


def method(name: str, title: str, member: str, *words: object) -> None:
    """Declare the attempt to call a method that is a parent's."""

    @probe(
        f"child.{name}", title, f"{member} on the bus", identity="child", positive="use.parent-manages", controls=BUS
    )
    def attempt(world: World) -> Attempt:
        arguments = [word(world) if callable(word) else word for word in words]
        return tried(member, lambda: world.call(member, *arguments))


def outsider(world: World) -> str:
    """Whose settings are touched, so that the child's own stay as they are."""
    return world.people["outsider"]


method("makes-profile", "A child makes itself a profile", "CreateProfile", "child-made", "18+", outsider)
method("lists-profiles", "A child reads all profiles", "ListProfiles")
method("activates-profile", "A child activates a profile", "SetActiveProfile", "probe-profile")
method("changes-rules", "A child allows a program", "SetApplicationRule", outsider, "dotsprobe", YES)
method("locks-session", "A child locks somebody out", "LockSession", outsider)
method("reads-health", "A child learns what the monitoring sees", "GetMonitoringSnapshot")


@probe(
    "child.guesses-password",
    "A child guesses the parents' password again and again",
    f"AuthenticateParent with {FREE_GUESSES + 3} wrong passwords in a row",
    identity="child",
    positive="use.parent-manages",
    controls=BUS,
    seconds=30,
)
def guesses_password(world: World) -> Attempt:
    """It succeeds when more guesses are judged than the few that are free."""
    said = []
    for number in range(FREE_GUESSES + 3):
        try:
            said.append(str(world.call("AuthenticateParent", f"wrong-{number}")))
        except BusError as error:
            said.append(error.name)
    judged = sum(one.endswith("AuthenticationFailed") for one in said)
    return Attempt(judged > FREE_GUESSES, [f"{judged} of {len(said)} guesses were judged", *dict.fromkeys(said)])


@probe(
    "child.owns-name",
    "A child takes the daemon's name on the bus",
    "RequestName, queueing for the daemon's name",
    identity="child",
    positive="use.child-asks",
    controls=("dbus.owner", "dbus.default-deny"),
)
def owns_name(world: World) -> Attempt:
    """To stand in the queue is enough: at the daemon's next restart the name is ours."""
    with Connection() as bus:
        return tried("RequestName", lambda: bus.bus("RequestName", "su", world.product["bus"]["name"], 0)[0])


@probe(
    "child.watches-bus",
    "A child reads everybody's messages",
    "BecomeMonitor on the system bus",
    identity="child",
    positive="use.child-asks",
    controls=("dbus.children",),
)
def watches_bus(_: World) -> Attempt:
    """Only root may."""
    monitoring = Address("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.Monitoring")
    with Connection() as bus:
        return tried("BecomeMonitor", lambda: bus.call(monitoring, "BecomeMonitor", "asu", [], 0))


@probe(
    "child.forges-other-report",
    "A child reports activity in another user's name",
    "ReportActivity with a parent's uid",
    identity="child",
    positive="use.monitor-reports",
    controls=BUS,
)
def forges_other_report(world: World) -> Attempt:
    """The daemon compares the report with its sender."""
    uid = pwd.getpwnam(world.people["parent"]).pw_uid
    report = json.dumps({"monitor": world.people["parent"], "uid": uid, "processes": []})
    return tried("ReportActivity", lambda: world.call("ReportActivity", report))


@probe(
    "child.forges-heartbeat",
    "A child sends the heartbeat that its monitor should send",
    "SendHeartbeat in its own name, as would hide a dead monitor",
    identity="child",
    positive="use.monitor-reports",
)
def forges_heartbeat(world: World) -> Attempt:
    """The monitor runs as the child: the bus cannot tell them apart, and no control claims to."""
    return tried("SendHeartbeat", lambda: world.call("SendHeartbeat", world.people["child"]))


def files(name: str, title: str, attempt: str, controls: tuple[str, ...], path: str, flags: int) -> None:
    """Declare the attempt to open a file of the product; `path` may name a part of the product description."""

    @probe(f"child.{name}", title, attempt, identity="child", positive="use.daemon-sees-exec", controls=controls)
    def act(world: World) -> Attempt:
        where = path.format(**world.product["paths"], **world.product["filter"])
        return tried(f"open {where}", lambda: os.close(os.open(where, flags | os.O_CLOEXEC)))


STATE = ("files.state", "files.database")
files("reads-database", "A child reads the family's database", "open the database", STATE, "{database}", os.O_RDONLY)
files("reads-log", "A child reads the database's log", "open its write-ahead log", STATE, "{database}-wal", os.O_RDONLY)
files("writes-database", "A child changes the family's database", "open it to write", STATE, "{database}", os.O_RDWR)
files(
    "writes-configuration",
    "A child changes the daemon's configuration",
    "open the configuration to write",
    ("files.configuration", "files.daemon-configuration"),
    "{configuration}/daemon.conf",
    os.O_WRONLY,
)
files(
    "writes-block-list",
    "A child changes the list of blocked sites",
    "open the list to write",
    ("files.configuration", "files.block-list"),
    "{block_list}",
    os.O_WRONLY,
)
files("reads-shadow", "A child reads the password hashes", "open it", ("files.shadow",), "/etc/shadow", os.O_RDONLY)


def links(name: str, title: str, make: Callable[[str, str], None], controls: tuple[str, ...]) -> None:
    """Declare the attempt to reach the database through a link in the child's own home."""

    @probe(f"child.{name}", title, "make it, then open it to write", identity="child", controls=controls)
    def act(world: World) -> Attempt:
        link = f"{os.environ['HOME']}/{name}"
        if os.path.lexists(link):
            os.unlink(link)  # noqa: PTH108 - os throughout, it is sent to old Pythons too

        def through() -> None:
            make(world.product["paths"]["database"], link)
            try:
                os.close(os.open(link, os.O_RDWR | os.O_CLOEXEC))
            finally:
                os.unlink(link)  # noqa: PTH108

        return tried(link, through)


links(
    "links-database", "A child reaches the database through a hard link", os.link, ("files.state", "sysctl.hardlinks")
)
links("symlinks-database", "A child reaches the database through a symbolic link", os.symlink, STATE)


@probe(
    "child.kills-daemon",
    "A child kills the daemon",
    "SIGTERM to the daemon's main process",
    identity="child",
    positive="use.daemon-restarts",
    controls=("systemd.daemon.account",),
)
def kills_daemon(world: World) -> Attempt:
    """The kernel compares the users."""
    pid = system.main_pid(world.unit("daemon"))
    return tried(f"kill {pid}", lambda: os.kill(pid, signal.SIGTERM))


def manage(name: str, title: str, member: str, signature: str, *words: object) -> None:
    """Declare the attempt to have systemd manage the daemon."""

    @probe(
        f"child.{name}",
        title,
        f"{member} at systemd",
        identity="child",
        positive="use.daemon-reloads",
        controls=("polkit.children",),
    )
    def act(world: World) -> Attempt:
        arguments = [word(world) if callable(word) else word for word in words]
        with Connection(seconds=world.patience(5)) as bus:
            return tried(member, lambda: bus.call(SYSTEMD, member, signature, *arguments) and None)


def daemon(world: World) -> str:
    """The daemon's unit."""
    return world.unit("daemon")


manage("stops-daemon", "A child stops the daemon's unit", "StopUnit", "ss", daemon, "replace")
manage(
    "masks-daemon",
    "A child masks the daemon's unit",
    "MaskUnitFiles",
    "asbb",
    lambda world: [daemon(world)],
    YES,
    YES,
)
manage("restarts-daemon", "A child restarts the daemon at will", "RestartUnit", "ss", daemon, "replace")


@probe(
    "child.freezes-monitor",
    "A child stops its own monitor without killing it",
    "SIGSTOP to the monitor, and whether it is still stopped",
    identity="child",
    positive="use.monitor-restarts",
)
def freezes_monitor(world: World) -> Attempt:
    """Same user, so the kernel lets it; the daemon would have to notice the missing heartbeat."""
    pid = system.main_pid(world.unit("monitor"))
    try:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.3)
        state = system.status_of(pid).get("State", "gone")
        os.kill(pid, signal.SIGCONT)
    except OSError as error:
        return stopped(f"kill {pid}: {error.strerror}")
    return Attempt(state.startswith("T"), (f"the monitor's state: {state}",))


@probe(
    "child.traces-monitor",
    "A child takes control of its own monitor",
    "PTRACE_ATTACH to the monitor",
    identity="child",
    positive="use.monitor-reports",
    controls=("sysctl.ptrace-scope",),
)
def traces_monitor(world: World) -> Attempt:
    """Whoever traces the monitor can make it say what it likes."""
    pid = system.main_pid(world.unit("monitor"))
    return tried(f"ptrace {pid}", lambda: kernel.attach(pid))


@probe(
    "child.reads-monitor",
    "A child reads its monitor's memory",
    "open /proc/PID/mem of the monitor",
    identity="child",
    positive="use.monitor-reports",
    controls=("sysctl.ptrace-scope",),
)
def reads_monitor(world: World) -> Attempt:
    """The same permission as tracing."""
    pid = system.main_pid(world.unit("monitor"))
    return tried(f"open /proc/{pid}/mem", lambda: os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR)))


@probe(
    "child.takes-proxy-port",
    "A child takes the filter's port",
    "bind to it, sharing allowed, while the filter runs",
    identity="child",
    positive="use.web-allowed",
    controls=("systemd.filter.active",),
)
def takes_proxy_port(world: World) -> Attempt:
    """What listens there is what the browser trusts."""

    def take() -> None:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((world.product["filter"]["address"], world.product["filter"]["port"]))
            listener.listen(1)

    return tried("bind", take)


def inside(name: str, title: str, host: str) -> None:
    """Declare the attempt to have the filter reach what it must not reach."""

    @probe(
        f"child.{name}",
        title,
        f"CONNECT {host} through the proxy",
        identity="child",
        positive="use.web-connect",
        controls=("systemd.filter.egress",),
        seconds=30,
    )
    def act(world: World) -> Attempt:
        proxy = (world.product["filter"]["address"], world.product["filter"]["port"])
        answer = web.tunnel(proxy, host, seconds=world.patience(6))
        # Any answer but a refusal means that the filter was willing; that nobody lives there is chance.
        said = f"status {answer.status}: {answer.data[:80]!r}"
        return stopped(said) if answer.status == 403 else worked(said)


inside("proxies-loopback", "A child reaches this machine's own services through the filter", "127.0.0.1:22")
inside("proxies-metadata", "A child reaches a cloud's metadata through the filter", "169.254.169.254:80")
inside("proxies-mapped", "A child reaches loopback through the filter in IPv6 clothes", "[::ffff:127.0.0.1]:22")


@probe(
    "child.bypasses-filter",
    "A child reaches the web without the filter",
    "a direct connection to a web server",
    identity="root",
    positive="use.web-allowed",
)
def bypasses_filter(world: World) -> Attempt:
    """The server is root's and the connection the child's. No control of this version is meant to stop it."""
    with web.upstream() as site:
        ended = world.as_("child", reach, site.address, site.port)
    return worked(f"connected to {site.host}") if not ended.error else stopped(f"{site.host}: {ended.error}")


def reach(address: str, port: int) -> None:
    """Connect, and hang up."""
    socket.create_connection((address, port), timeout=3).close()


@probe(
    "child.sets-clock",
    "A child sets the clock back",
    "clock_settime(2), and SetTime at systemd-timedated",
    identity="child",
    positive="use.child-asks",
    controls=("polkit.children",),
    seconds=25,
)
def sets_clock(world: World) -> Attempt:
    """Time limits count by the clock."""
    direct = tried("clock_settime", lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()))
    with Connection(seconds=world.patience(6)) as bus:
        asked = tried("SetTime", lambda: bus.call(CLOCK, "SetTime", "xbb", int(time.time() * 1e6), not YES, not YES))
    return Attempt(bool(direct.succeeded or asked.succeeded), (*direct.evidence, *asked.evidence))
