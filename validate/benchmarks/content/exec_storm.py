"""Many programs started one after the other, with the daemon's eBPF program on. Runs in the machine."""

from __future__ import annotations

import json
import os
import pwd
import time

from validate.benchmarks.content.clock import each
from validate.guest import system
from validate.guest.probing import World

Raw = dict[str, list[float]]
TRUE = "/usr/bin/true"
EXECS = 100


def measure(world: World) -> Raw:
    """Microseconds of each start, the daemon's own work for one event, and what became of the events."""
    started = time.time() - 0.05
    before, busy = counters(world), cpu(world)
    pids, taken = world.result("outsider", storm, EXECS, seconds=120)
    uid = pwd.getpwnam(world.people["outsider"]).pw_uid
    statement = "SELECT pid FROM exec_events WHERE uid = ? AND comm = 'true' AND at >= ?"

    def all_recorded() -> bool:
        return recorded() == len(pids)

    def recorded() -> int:
        rows = system.query(world.product["paths"]["database"], statement, uid, started)
        return len({pid for (pid,) in rows} & set(pids))

    system.until(all_recorded, seconds=world.patience(5), every=0.25)
    spent, after = cpu(world) - busy, counters(world)
    seen = after["execs_seen"] - before["execs_seen"]
    return {
        "exec.cost": taken,
        "exec.event": [spent / seen] if seen > 0 else [],
        "exec.made": [len(pids)],
        "exec.recorded": [recorded()],
        "exec.lost": [after[key] - before[key] for key in ("execs_lost", "execs_dropped")],
    }


def storm(times: int) -> tuple[list[int], list[float]]:
    """Pids and microseconds of each start, from the spawn to the end of the program."""
    pids = []

    def start() -> None:
        pid = os.posix_spawn(TRUE, [TRUE], {})
        os.waitpid(pid, 0)
        pids.append(pid)

    return pids, each(times, start, warm_up=5)


def counters(world: World) -> dict[str, float]:
    """The daemon's own account of the events that it saw."""
    return dict(json.loads(str(world.call("GetMonitoringSnapshot"))))


def cpu(world: World) -> float:
    """Microseconds of CPU that the daemon's control group has used."""
    group = system.show([world.unit("daemon")], ["ControlGroup"])[0]["ControlGroup"]
    lines = system.read(f"/sys/fs/cgroup{group}/cpu.stat").splitlines()
    return float(dict(line.split() for line in lines)["usage_usec"])
