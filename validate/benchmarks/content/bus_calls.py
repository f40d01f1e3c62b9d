"""What one call on the bus takes, by role, and what the daemon keeps of it. Runs in the machine."""

from __future__ import annotations

from validate.benchmarks.content.clock import each
from validate.guest import system
from validate.guest.dbus import CALL, DESTINATION, INTERFACE, MEMBER, PATH, Connection, encode
from validate.guest.probing import World

Raw = dict[str, list[float]]
TRUE = "/usr/bin/true"
CALLS = 80
GROWTH_CALLS = 500
SERIAL = 1 << 20
"""Of the message that is sent again and again; far from those of the connection's own calls."""


def measure(world: World) -> Raw:
    """Microseconds of each call; the connection is made, and the message built, before the clock starts."""
    child = world.people["child"]
    plan = (
        ("bus.ping", "parent", "Ping", ()),
        ("bus.parent", "parent", "ListProfiles", ()),
        ("bus.child", "child", "CheckApplicationAllowed", (TRUE,)),
        ("bus.monitor", "monitor", "SendHeartbeat", (child,)),
    )
    raw = {key: world.result(role, calls, world, member, words, CALLS) for key, role, member, words in plan}
    return {**raw, **growth(world)}


def calls(world: World, member: str, words: tuple[str, ...], times: int) -> list[float]:
    """Send the same message `times` times. The client's own work, which is the same everywhere, is kept small."""
    to = world.address
    fields: dict[int, object] = {
        PATH: to.path,
        INTERFACE: to.interface,
        MEMBER: member,
        DESTINATION: to.destination,
    }
    frame = encode(CALL, SERIAL, fields, "s" * len(words), words)
    with Connection(seconds=world.patience(5)) as bus:
        bus.call(to, member, "s" * len(words), *words)  # reads away what the bus says to whoever is new
        return each(times, bus.exchange, frame, warm_up=10)


def growth(world: World) -> Raw:
    """Bytes of its own that the daemon holds more of, a call, after many calls: a leak shows, however slow."""
    pid = system.main_pid(world.unit("daemon"))
    world.result("parent", calls, world, "Ping", (), GROWTH_CALLS)
    before = own_memory(pid)
    world.result("parent", calls, world, "Ping", (), GROWTH_CALLS)
    return {"bus.growth": [(own_memory(pid) - before) / GROWTH_CALLS]}


def own_memory(pid: int) -> int:
    """Bytes of the process that no file stands behind."""
    return int(system.status_of(pid)["RssAnon"].split()[0]) * 1024
