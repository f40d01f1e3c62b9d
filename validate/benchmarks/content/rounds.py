"""One round of every repeated measurement: raw values by key, durations in milliseconds. Runs in the machine.

Rounds are taken one after the other, each with all its parts, so that whatever the host does meanwhile falls on
all measures alike.
"""

from __future__ import annotations

import os
import pwd
import time
from contextlib import suppress
from typing import Any

from validate.guest import system, web
from validate.guest.dbus import Connection
from validate.guest.probing import World

Raw = dict[str, list[float]]
TRUE = "/usr/bin/true"
CALLS = 20
EXECS = 20
REQUESTS = 10
WARM_UP = 3
"""First calls of every connection, which are not counted."""


def measure_bus(world: World) -> Raw:
    """Latency of single calls by role; the connection is made before the clock starts."""
    plan = (
        ("dbus.ping", "parent", "Ping", ()),
        ("dbus.parent", "parent", "ListProfiles", ()),
        ("dbus.child", "child", "CheckApplicationAllowed", (TRUE,)),
        ("dbus.monitor", "monitor", "SendHeartbeat", (world.people["child"],)),
    )
    return {key: result(world.as_(role, calls, world, member, words, seconds=30)) for key, role, member, words in plan}


def calls(world: World, member: str, words: tuple[str, ...]) -> list[float]:
    """Milliseconds of each of `CALLS` calls on one connection."""
    taken = []
    with Connection(seconds=world.patience(5)) as bus:
        for _ in range(WARM_UP + CALLS):
            start = time.perf_counter()
            bus.call(world.address, member, "s" * len(words), *words)
            taken.append((time.perf_counter() - start) * 1e3)
    return taken[WARM_UP:]


def measure_execs(world: World) -> Raw:
    """Start a program many times as the outsider, and wait until the daemon has written its events down."""
    started = time.time() - 0.01
    pids, taken = result(world.as_("outsider", storm, seconds=60))
    uid = pwd.getpwnam(world.people["outsider"]).pw_uid
    statement = "SELECT pid FROM exec_events WHERE uid = ? AND comm = 'true' AND at >= ?"

    def recorded() -> int:
        rows = system.query(world.product["paths"]["database"], statement, uid, started)
        return len({pid for (pid,) in rows} & set(pids))

    found, ends = recorded(), time.monotonic() + world.patience(5)
    while found < len(pids) and time.monotonic() < ends:
        time.sleep(0.05)
        found = recorded()
    return {"exec.taken": taken, "exec.made": [len(pids)], "exec.recorded": [found]}


def storm() -> tuple[list[int], list[float]]:
    """Pids and milliseconds of each start, from the spawn to the end of the program."""
    pids, taken = [], []
    for _ in range(EXECS):
        start = time.perf_counter()
        pid = os.posix_spawn(TRUE, [TRUE], {})
        os.waitpid(pid, 0)
        taken.append((time.perf_counter() - start) * 1e3)
        pids.append(pid)
    return pids, taken


def measure_web(world: World) -> Raw:
    """Requests of the child, one after the other, each on a connection of its own, to our server in this machine."""
    with web.upstream() as site:
        return {
            f"web.{kind}": result(world.as_("child", requests, world, kind, site, seconds=60))
            for kind in ("plain", "connect")
        }


def requests(world: World, kind: str, site: web.Upstream) -> list[float]:
    """Milliseconds of each request. Raises `ValueError` when one is not answered with 200."""
    proxy = (world.product["filter"]["address"], world.product["filter"]["port"])
    taken = []
    for _ in range(1 + REQUESTS):
        start = time.perf_counter()
        if kind == "plain":
            answer = web.get(proxy, f"http://{site.host}/", site.host, seconds=world.patience(5))
        else:
            answer = web.tunnel(proxy, site.host, seconds=world.patience(5))
        taken.append((time.perf_counter() - start) * 1e3)
        if answer.status != 200:
            raise ValueError(f"{kind} request: status {answer.status}: {answer.data[:80]!r}")
    return taken[1:]


def measure_services(world: World) -> Raw:
    """Memory in bytes and tasks of each service's control group, and of its main process."""
    keys = list(world.product["units"])
    found = system.show([world.unit(key) for key in keys], ["Id", "MainPID", "ControlGroup"])
    groups = {one["Id"]: one for one in found}
    raw: Raw = {}
    for key in keys:
        unit = groups.get(world.unit(key), {})
        folder = f"/sys/fs/cgroup{unit.get('ControlGroup', '')}"
        for name, file in (("current", "memory.current"), ("peak", "memory.peak"), ("tasks", "pids.current")):
            with suppress(OSError, ValueError):  # memory.peak is younger than some kernels
                raw[f"service.{key}.{name}"] = [float(system.read(f"{folder}/{file}"))]
        status = system.status_of(int(unit.get("MainPID") or 0))
        for name, field in (("rss", "VmRSS"), ("hwm", "VmHWM")):
            with suppress(KeyError, ValueError, IndexError):
                raw[f"service.{key}.{name}"] = [float(status[field].split()[0]) * 1024]
    return raw


PARTS = {"bus": measure_bus, "execs": measure_execs, "web": measure_web, "services": measure_services}


def rounds(world: World, repetitions: int) -> tuple[list[Raw], dict[str, str]]:
    """The raw values of each round, and why a part gave none: it is then left out of the rounds that follow."""
    taken, problems = [], {}
    for number in range(repetitions + 1):
        raw: Raw = {}
        for name, part in PARTS.items():
            if name in problems:
                continue
            try:
                raw.update(part(world))
            except Exception as error:  # noqa: BLE001 - the other parts are still worth having
                problems[name] = f"{type(error).__name__}: {error}"[:500]
        if number:  # the round before the first only warms up
            taken.append(raw)
    return taken, problems


def result(ended: Any) -> Any:
    """The value of a child that ended well. Raises `RuntimeError` with its error."""
    if ended.error:
        raise RuntimeError(ended.error)
    return ended.value
