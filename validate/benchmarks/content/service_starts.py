"""Start and reload of each service, by systemd's own stamps, and what each holds. Runs in the machine."""

from __future__ import annotations

import os
import time

from validate.guest import system
from validate.guest.probing import World

Raw = dict[str, list[float]]
STAMPS = ("InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")


def measure(world: World) -> Raw:
    """Milliseconds of one start and one reload of each unit. A started service has a new layout in memory, too."""
    raw: Raw = {}
    units = {key: world.unit(key) for key in world.product["units"]}
    for unit in units.values():
        system.command("systemctl", "restart", unit, seconds=world.patience(30), check=True)
    for (key, unit), found in zip(units.items(), system.show(list(units.values()), STAMPS)):  # noqa: B905 - one block a unit
        begun, active = (int(found.get(one) or 0) for one in STAMPS)
        if not 0 < begun <= active:
            raise ValueError(f"{unit} tells no time of its start: {found}")
        raw[f"start.{key}"] = [(active - begun) / 1e3]
    for key, unit in units.items():
        start = time.perf_counter_ns()
        system.command("systemctl", "reload", unit, seconds=world.patience(30), check=True)
        raw[f"reload.{key}"] = [(time.perf_counter_ns() - start) / 1e6]
    return raw


def holdings(world: World) -> Raw:
    """Peak memory in bytes, tasks and descriptors of each unit."""
    raw: Raw = {}
    for key in world.product["units"]:
        found = system.show([world.unit(key)], ["MainPID", "ControlGroup"])[0]
        pid, folder = int(found["MainPID"]), f"/sys/fs/cgroup{found['ControlGroup']}"
        raw[f"hold.{key}.memory"] = [float(system.status_of(pid)["VmHWM"].split()[0]) * 1024]
        raw[f"hold.{key}.tasks"] = [float(system.read(f"{folder}/pids.current"))]
        raw[f"hold.{key}.descriptors"] = [float(len(os.listdir(f"/proc/{pid}/fd")))]  # noqa: PTH208
    return raw
