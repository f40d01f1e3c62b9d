"""A steady load on the whole product, and what each service holds meanwhile. Runs in the machine."""

from __future__ import annotations

import os
import time
from typing import Any

from validate.benchmarks.content.bus_calls import TRUE, own_memory
from validate.benchmarks.content.exec_storm import storm
from validate.benchmarks.content.filter_requests import expect
from validate.guest import system, web
from validate.guest.dbus import Connection
from validate.guest.probing import World

CALLS, PAGES, EXECS = 40, 10, 10
"""Of one turn: calls by each role, requests, programs."""


def soak(world: World, seconds: float, every: float) -> dict[str, Any]:
    """Turns of load for so long, with a look at each service every `every` seconds.

    `at` has the seconds of each look, `held` by unit its (own memory in bytes, descriptors, tasks) at each.
    Raises `RuntimeError` where a part of the load was not answered, or a service is another process than before.
    """
    groups = {key: group_of(world.unit(key)) for key in world.product["units"]}
    at: list[float] = []
    held: dict[str, list[list[int]]] = {key: [] for key in groups}
    started, turns = time.monotonic(), 0
    with web.upstream() as site:
        while True:
            gone = time.monotonic() - started
            if gone >= every * len(at):
                at.append(round(gone, 1))
                for key, (pid, folder) in groups.items():
                    held[key].append(look(key, pid, folder))
            if gone >= seconds:
                return {"at": at, "held": held, "turns": turns}
            turn(world, site)
            turns += 1


def turn(world: World, site: web.Upstream) -> None:
    """Some of everything that the product is there for."""
    plan = (
        ("parent", "ListProfiles", ()),
        ("child", "CheckApplicationAllowed", (TRUE,)),
        ("monitor", "SendHeartbeat", (world.people["child"],)),
    )
    for role, member, words in plan:
        world.result(role, calls, world, member, words)
    world.result("child", pages, world, site)
    world.result("outsider", storm, EXECS)


def calls(world: World, member: str, words: tuple[str, ...]) -> int:
    """Calls on one connection; how many."""
    with Connection(seconds=world.patience(5)) as bus:
        for _ in range(CALLS):
            bus.call(world.address, member, "s" * len(words), *words)
    return CALLS


def pages(world: World, site: web.Upstream) -> int:
    """Requests in the open and in a tunnel by turns; how many."""
    proxy = (world.product["filter"]["address"], world.product["filter"]["port"])
    for number in range(PAGES):
        if number % 2:
            expect(web.tunnel(proxy, site.host, seconds=world.patience(5)), 200)
        else:
            expect(web.get(proxy, f"http://{site.host}/", site.host, seconds=world.patience(5)), 200)
    return PAGES


def group_of(unit: str) -> tuple[int, str]:
    """Main process and control group. Raises `RuntimeError` for a unit that does not run."""
    found = system.show([unit], ["MainPID", "ControlGroup"])[0]
    pid = int(found.get("MainPID") or 0)
    if not pid:
        raise RuntimeError(f"{unit} does not run")
    return pid, f"/sys/fs/cgroup{found['ControlGroup']}"


def look(key: str, pid: int, folder: str) -> list[int]:
    """Own memory in bytes, descriptors, tasks. Raises `RuntimeError` where the process is gone."""
    try:
        return [own_memory(pid), len(os.listdir(f"/proc/{pid}/fd")), int(system.read(f"{folder}/pids.current"))]  # noqa: PTH208
    except (OSError, KeyError) as error:
        raise RuntimeError(f"the {key} is not the process any more that it was: {error}") from None
