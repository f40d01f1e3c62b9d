"""How far a service that was taken over reaches: through the network, and into the machine's room."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from validate.guest import outside
from validate.guest.probing import World
from validate.probes.content.compromised import each


def reaching(address: str, port: int) -> Callable[[World], object]:
    """Connect to the address, or to this machine's own where none is given."""
    return lambda world: outside.connect(address or world.host, port)


TASKS, MEMORY = 80, 288 << 20


def many_processes() -> str:
    """More processes than the unit may have, all of them gone at once."""
    pids: list[int] = []
    try:
        for _ in range(TASKS):
            pid = os.fork()
            if pid == 0:
                signal.pause()
                os._exit(0)
            pids.append(pid)
    except BlockingIOError as error:
        raise PermissionError(error.errno, f"{error.strerror} after {len(pids)}") from None
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return f"{len(pids)} processes"


def much_memory() -> str:
    """More memory than the unit may have, in a process of its own, since whoever asks for it is killed."""
    pid = os.fork()
    if pid == 0:
        os._exit(7 if len(b"x" * MEMORY) else 0)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        raise PermissionError(12, f"killed by signal {os.WTERMSIG(status)}")
    if os.WEXITSTATUS(status) != 7:
        raise PermissionError(12, f"ended with {os.WEXITSTATUS(status)}")
    return f"{MEMORY >> 20} MiB"


FILTER_REACH = {
    "reaches-loopback": ("reaches this machine's own services", "127.0.0.1", 22, "network.filter-inside"),
    "reaches-own-address": ("reaches services on this machine's address", "", 22, "network.filter-inside"),
    "scans-house": ("reaches the house's other machines", outside.NEIGHBOUR, 80, "network.filter-neighbours"),
    "reaches-metadata": ("reads a cloud's metadata", outside.METADATA, 80, "network.filter-inside"),
}
for name, (what, address, port, control) in FILTER_REACH.items():
    each(
        name,
        what,
        f"connect to {address or 'its address'} port {port}",
        {"filter": (control, *(("systemd.filter.egress",) if name == "reaches-metadata" else ()))},
        reaching(address, port),
    )
each(
    "sends-datagrams",
    "sends datagrams to the world",
    "exchange one with port 443",
    {"filter": ("network.filter-datagrams",)},
    lambda _: outside.exchange(outside.V4, 443),
)
each(
    "exceeds-tasks",
    "starts processes without end",
    f"{TASKS} of them",
    {"monitor": ("systemd.monitor.tasks-max",)},
    lambda _: many_processes(),
)
each(
    "exceeds-memory",
    "takes the machine's memory",
    f"fill {MEMORY >> 20} MiB",
    {"monitor": ("systemd.monitor.memory-max",)},
    lambda _: much_memory(),
)
