"""Uses that have to work: parents, children, the monitor and the daemon's health."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from validate.guest import system
from validate.guest.identity import Ended
from validate.guest.probing import Attempt, World, probe

PROFILE = "probe-profile"
SLEEP = "/usr/bin/sleep"
ALLOWED, BLOCKED, SEEN = "dotsallowed", "dotsblocked", "dotsseen"
"""Names of copied programs: at most 15 characters, since the kernel keeps no more."""


@probe(
    "use.parent-makes-profile",
    "A parent makes a profile and finds it in the list",
    "CreateProfile and ListProfiles on the bus",
    identity="parent",
    kind="positive",
)
def parent_makes_profile(world: World) -> Attempt:
    """CreateProfile is idempotent for equal arguments, so that a second run passes too."""
    made = world.call("CreateProfile", PROFILE, "8-12", world.people["child"])
    listed = json.loads(world.call("ListProfiles"))
    names = [one["name"] for one in listed]
    return Attempt(PROFILE in names, (f"CreateProfile: {made}", f"ListProfiles: {', '.join(names)[:200]}"))


@probe(
    "use.parent-manages",
    "A parent activates a profile, and asks for the daemon's health",
    "SetActiveProfile and GetMonitoringSnapshot on the bus",
    identity="parent",
    kind="positive",
)
def parent_manages(world: World) -> Attempt:
    """The profile is the one that the probe before has made."""
    world.call("CreateProfile", PROFILE, "8-12", world.people["child"])
    active = world.call("SetActiveProfile", PROFILE)
    snapshot = json.loads(world.call("GetMonitoringSnapshot"))
    return Attempt(active is True and bool(snapshot), (f"SetActiveProfile: {active}", f"snapshot: {snapshot}"))


@probe(
    "use.child-asks",
    "A child asks what it may do",
    "Ping, CheckApplicationAllowed, GetRemainingTime, GetActiveProfile on the bus",
    identity="child",
    kind="positive",
)
def child_asks(world: World) -> Attempt:
    """Every method that any member of the family may call without changing anything."""
    said = {
        "Ping": world.call("Ping"),
        "CheckApplicationAllowed": world.call("CheckApplicationAllowed", "/usr/bin/true"),
        "GetRemainingTime": world.call("GetRemainingTime"),
        "GetActiveProfile": world.call("GetActiveProfile"),
    }
    return Attempt(said["CheckApplicationAllowed"] is not None, [f"{name}: {what}" for name, what in said.items()])


@probe(
    "use.monitor-reports",
    "The child's monitor reports its heartbeat to the daemon",
    "the monitor's heartbeat of the last 30 s stands in the daemon's database",
    identity="root",
    kind="positive",
    seconds=45,
)
def monitor_reports(world: World) -> Attempt:
    """The monitor speaks every 10 s; a beat that comes after we have started looking is the proof."""
    database, child = world.product["paths"]["database"], world.people["child"]
    start = time.time()

    def beaten() -> list[tuple[Any, ...]]:
        rows = system.query(database, "SELECT monitor, at FROM heartbeats WHERE monitor = ? AND at > ?", child, start)
        return [*rows]

    rows = system.until(beaten, seconds=world.patience(20), every=0.3)
    state = system.show([world.unit("monitor")], ["ActiveState", "MainPID"])
    return Attempt(bool(rows), (f"heartbeats since {start:.0f}: {rows}", f"{world.unit('monitor')}: {state}"))


@probe(
    "use.allowed-program-runs",
    "A program that no rule denies goes on running",
    "the child starts a copied `sleep` under a name of its own",
    identity="root",
    kind="positive",
)
def allowed_program_runs(world: World) -> Attempt:
    """The same steps as for the blocked program, but for the rule."""
    ruled = rule(world, ALLOWED, allowed=True)
    ended = world.as_("child", start_and_wait, ALLOWED, world.patience(0.5))
    return Attempt(
        ended.value == "running", (f"rule: {ruled.value or ruled.error}", f"it is {ended.value}{ended.error}")
    )


@probe(
    "use.blocked-program-dies",
    "A program that a parent has denied is killed",
    "a parent denies it by SetApplicationRule, the child starts it",
    identity="root",
    kind="positive",
)
def blocked_program_dies(world: World) -> Attempt:
    """By SIGKILL, from the eBPF program or from the daemon; then the rule is taken back."""
    ruled = rule(world, BLOCKED, allowed=False)
    try:
        ended = world.as_("child", start_and_wait, BLOCKED, world.patience(5))
    finally:
        rule(world, BLOCKED, allowed=True)
    good = ruled.value is True and ended.value == "killed by signal 9"
    return Attempt(good, (f"rule: {ruled.value}{ruled.error}", f"it is {ended.value}{ended.error}"))


def rule(world: World, name: str, *, allowed: bool) -> Ended:
    """A parent allows or denies a program to the child."""
    return world.as_("parent", world.call, "SetApplicationRule", world.people["child"], name, allowed)


def start_and_wait(name: str, seconds: float) -> str:
    """Start a copy of `sleep` in our own home and say what has become of it after a while."""
    path = os.path.join(os.environ["HOME"], name)  # noqa: PTH118 - os throughout, it is sent to old Pythons too
    pid = system.spawn_renamed(SLEEP, path, "60")
    ended = system.ended_by(pid, seconds=seconds)
    os.unlink(path)  # noqa: PTH108
    if ended is None:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        return "running"
    return f"killed by signal {-ended}" if ended < 0 else f"over, status {ended}"


@probe(
    "use.daemon-sees-exec",
    "The daemon sees an exec event through eBPF and writes it to its database",
    "the child starts a program with a name of its own; its exec_events row is waited for",
    identity="root",
    kind="positive",
    seconds=30,
)
def daemon_sees_exec(world: World) -> Attempt:
    """The row names the program and the child's uid, so it can be no other event."""
    name = f"{SEEN}{os.getpid() % 100000}"
    started = time.time() - 1
    world.as_("child", start_and_wait, name, 0.2)
    statement = "SELECT pid, uid, comm FROM exec_events WHERE comm = ? AND at > ?"
    rows = system.until(
        lambda: system.query(world.product["paths"]["database"], statement, name, started), seconds=world.patience(8)
    )
    return Attempt(bool(rows), (f"exec_events: {rows}",))
