"""What a child may try: the family's methods and data, and the services."""

from __future__ import annotations

import json
import os
import pwd
import signal
import time
from collections.abc import Callable

from validate.guest import system
from validate.guest.dbus import Address, BusError, Connection
from validate.guest.probing import Attempt, World, probe, tried

BUS = ("dbus.children", "dbus.default-deny")
SYSTEMD = Address("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
CLOCK = Address("org.freedesktop.timedate1", "/org/freedesktop/timedate1", "org.freedesktop.timedate1")
YES = True
FREE_GUESSES = 5
"""Wrong passwords that anyone may type before being made to wait."""
GUESSES = 50


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
    f"AuthenticateParent with {GUESSES} wrong passwords in a row",
    identity="child",
    positive="use.parent-manages",
    controls=BUS,
    seconds=30,
)
def guesses_password(world: World) -> Attempt:
    """It succeeds when more guesses are judged than the few that are free."""
    said = []
    for number in range(GUESSES):
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
manage(
    "stops-monitor",
    "A child stops its monitor's unit",
    "StopUnit",
    "ss",
    lambda world: world.unit("monitor"),
    "replace",
)
manage(
    "poisons-environment",
    "A child poisons the environment that services start with",
    "SetEnvironment",
    "as",
    ["PATH=/tmp/dots:/usr/bin", "LD_PRELOAD=/tmp/dots.so"],
)
manage("restarts-daemon", "A child restarts the daemon at will", "RestartUnit", "ss", daemon, "replace")


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
