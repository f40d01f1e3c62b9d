"""What a child may try against the monitor that runs under its own name."""

from __future__ import annotations

import json
import os
import resource
import signal
import time

from validate.guest import kernel, system
from validate.guest.dbus import Connection
from validate.guest.probing import Attempt, World, probe, stopped, tried, worked

MONITORS = ("dbus.monitors", "dbus.children", "systemd.monitor.group")


@probe(
    "child.forges-heartbeat",
    "A child sends the heartbeat that its monitor should send",
    "SendHeartbeat in its own name, as would hide a dead monitor",
    identity="child",
    positive="use.monitor-reports",
    controls=MONITORS,
)
def forges_heartbeat(world: World) -> Attempt:
    """The monitor runs as the child; only its group tells the two apart."""
    return tried("SendHeartbeat", lambda: world.call("SendHeartbeat", world.people["child"]))


@probe(
    "child.forges-report",
    "A child reports that it does nothing",
    "ReportActivity in its own name, with no process in it",
    identity="child",
    positive="use.monitor-reports",
    controls=MONITORS,
)
def forges_report(world: World) -> Attempt:
    """What the parents read is what the monitor has seen, or nothing."""
    report = json.dumps({"monitor": world.people["child"], "uid": os.getuid(), "processes": []})
    return tried("ReportActivity", lambda: world.call("ReportActivity", report))


@probe(
    "child.runs-monitor",
    "A child lets a monitor of its own report",
    "run the monitor's program by hand for a while",
    identity="root",
    positive="use.monitor-reports",
    controls=MONITORS,
    seconds=30,
)
def runs_monitor(world: World) -> Attempt:
    """Its first report comes at once. The true monitor is stopped meanwhile, so that a heartbeat is the child's."""
    unit, child = world.unit("monitor"), world.people["child"]
    database = world.product["paths"]["database"]
    system.command("systemctl", "stop", unit, seconds=world.patience(10), check=True)
    try:
        started = time.time()
        ended = world.as_("child", run_for, world.product["binaries"]["monitor"], world.patience(1))
        rows = system.query(database, "SELECT at FROM heartbeats WHERE monitor = ? AND at > ?", child, started)
    finally:
        system.command("systemctl", "start", unit, seconds=world.patience(10))
    return Attempt(bool(rows), (f"heartbeats since: {len(rows)}", str(ended.value or ended.error)))


def run_for(program: str, seconds: float) -> str:
    """Run a program for a while, or until it complains after its first line; what it said."""
    with system.started(program) as process:
        heard = system.lines_until(process, 2, seconds=seconds)
        return " / ".join(heard) or "it said nothing"


@probe(
    "child.freezes-monitor",
    "A child stops its own monitor without killing it",
    "SIGSTOP to the monitor, and whether it is still stopped",
    identity="child",
    positive="use.monitor-restarts",
    controls=("apparmor.monitor.denies-freezing",),
)
def freezes_monitor(world: World) -> Attempt:
    """Same user, so the kernel lets it, and a frozen monitor is not restarted: only its profile can refuse."""
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
    "child.kills-monitor",
    "A child ends its monitor for good",
    "SIGKILL to the monitor, and whether another one takes its place",
    identity="child",
    positive="use.monitor-restarts",
    controls=("systemd.monitor.restarts",),
    seconds=30,
)
def kills_monitor(world: World) -> Attempt:
    """Once. Whoever kills it again and again keeps it from working, which the missing heartbeats tell."""
    unit = world.unit("monitor")
    pid = system.main_pid(unit)
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError as error:
        return stopped(f"kill {pid}: {error.strerror}")
    new = system.until(lambda: system.main_pid(unit) not in (0, pid), seconds=world.patience(8), every=0.3)
    return stopped(f"{pid} killed, {system.main_pid(unit)} took its place") if new else worked(f"{pid} killed for good")


@probe(
    "child.starves-monitor",
    "A child takes its monitor's files away by a limit",
    "prlimit(2): no more open files for the monitor",
    identity="child",
    positive="use.monitor-reports",
)
def starves_monitor(world: World) -> Attempt:
    """Same user, so the kernel lets it, and nothing here mediates that call. Its limit is put back at once."""
    pid = system.main_pid(world.unit("monitor"))

    def starve() -> str:
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        return f"open files {soft}, then 3"

    return tried(f"prlimit {pid}", starve)


@probe(
    "child.owns-monitor-name",
    "A child's program takes the monitor's name on the session bus",
    "RequestName on a session bus with this machine's settings",
    identity="child",
    positive="use.monitor-owns-name",
    controls=("dbus.session-monitor",),
)
def owns_monitor_name(world: World) -> Attempt:
    """Whatever asks the monitor something in the session would be asking the child's program."""
    return tried("RequestName", lambda: request_name(world))


@probe(
    "use.monitor-owns-name",
    "A monitor may take its name on the session bus",
    "the same, as a process of a monitor",
    identity="root",
    kind="positive",
)
def monitor_owns_name(world: World) -> Attempt:
    """The session bus is the child's as well."""
    ended = world.as_("monitor", request_name, world)
    return Attempt(ended.value == 1, (f"RequestName: {ended.value or ended.error}",))


def request_name(world: World) -> int:
    """Start a session bus of our own and ask it for the monitor's name; 1: we own it. Raises `BusError`."""
    path = f"/tmp/dots-bus-{os.getpid()}"  # noqa: S108 - a socket that is gone at once
    argv = ("/usr/bin/dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address=unix:path={path}")
    with system.started(*argv):
        system.until(lambda: os.path.exists(path), seconds=world.patience(4))  # noqa: PTH110
        with Connection(path, seconds=world.patience(4)) as session:
            return int(str(session.bus("RequestName", "su", world.product["bus"]["session"], 4)[0]))
