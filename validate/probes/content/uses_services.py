"""Uses that have to work: the web filter, and the services' way through reload, restart and log rotation."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress

from validate.guest import outside, system, web
from validate.guest.probing import Attempt, World, probe, stopped, worked

V4, V6 = outside.V4, outside.V6


def proxy(world: World) -> tuple[str, int]:
    """The filter's listener."""
    return world.product["filter"]["address"], world.product["filter"]["port"]


def blocked_domain(world: World) -> str:
    """The first domain of the block list. Raises `OSError` or `ValueError`."""
    for line in system.read(world.product["filter"]["block_list"]).splitlines():
        words = line.split("#")[0].split()
        if words:
            return words[-1].lstrip("*.")
    raise ValueError("the block list holds no domain")


@probe(
    "use.web-allowed",
    "An allowed site loads through the filter",
    "the child fetches a page of the host outside through the proxy",
    identity="root",
    kind="positive",
)
def web_allowed(world: World) -> Attempt:
    """The server is ours, on the host outside."""
    ended = world.as_("child", lambda: list(fetched(world, f"http://{V4}/", V4)))
    return page(ended.value, ended.error)


@probe(
    "use.web-connect",
    "A tunnel opens through the filter",
    "the child opens CONNECT tunnels to the host outside through the proxy, over IPv4 and IPv6",
    identity="root",
    kind="positive",
)
def web_connect(world: World) -> Attempt:
    """The page is fetched inside the tunnel, once to each kind of address."""

    def fetch(host: str) -> list[object]:
        return list(plain(web.tunnel(proxy(world), host, seconds=world.patience(5))))

    said = [world.as_("child", fetch, host) for host in (f"{V4}:80", f"[{V6}]:80")]
    pages = [page(ended.value, ended.error) for ended in said]
    return Attempt(all(one.succeeded for one in pages), [one.evidence[0] for one in pages])


@probe(
    "use.parent-reaches-web",
    "A parent reaches the web without the filter",
    "connect over IPv4 and IPv6, and exchange a datagram",
    identity="parent",
    kind="positive",
)
def parent_reaches_web(_: World) -> Attempt:
    """What is closed to children is open to others."""
    return worked(outside.connect(V4, 443), outside.connect(V6, 443), outside.exchange(V4, 443))


@probe(
    "use.child-reaches-loopback",
    "A child reaches services of its own machine",
    "connect to a server of its own on loopback, over IPv4 and IPv6",
    identity="child",
    kind="positive",
)
def child_reaches_loopback(_: World) -> Attempt:
    """Homework in programming, say."""
    with (
        socket.create_server(("127.0.0.1", 0)) as four,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
    ):
        return worked(*(outside.connect(*server.getsockname()[:2]) for server in (four, six)))


@probe(
    "use.web-blocked",
    "A blocked domain is answered with 403",
    "the child asks the proxy for a domain of the block list",
    identity="root",
    kind="positive",
)
def web_blocked(world: World) -> Attempt:
    """Both ways: by URL and by CONNECT."""
    name = blocked_domain(world)
    one = world.as_("child", lambda: list(fetched(world, f"http://{name}/", name)))
    two = world.as_("child", lambda: list(plain(web.tunnel(proxy(world), f"{name}:443", seconds=world.patience(5)))))
    statuses = [ended.value[0] if ended.value else ended.error for ended in (one, two)]
    return Attempt(statuses == [403, 403], (f"GET http://{name}/: {statuses[0]}", f"CONNECT: {statuses[1]}"))


def fetched(world: World, url: str, host: str) -> tuple[int, str]:
    """Status and text of a page through the proxy."""
    return plain(web.get(proxy(world), url, host, seconds=world.patience(5)))


def plain(answer: web.Answer) -> tuple[int, str]:
    """An answer as JSON carries it."""
    return answer.status, answer.data[-200:].decode(errors="backslashreplace")


def page(value: list[object] | None, error: str) -> Attempt:
    """Whether it was our page."""
    if not value:
        return stopped(error)
    return Attempt(value[0] == 200 and web.BODY.decode() in str(value[1]), (f"status {value[0]}: {value[1]!r}",))


@probe(
    "use.ctl-healthy",
    "The command line tells that the product is healthy",
    "dots-family-ctl status",
    identity="parent",
    kind="positive",
)
def ctl_healthy(world: World) -> Attempt:
    """Exit status 0 is its word for healthy."""
    status, said = system.command(world.product["binaries"]["ctl"], "status", seconds=world.patience(10))
    return Attempt(status == 0, (f"exit status {status}", *said.splitlines()[:5]))


@probe(
    "use.daemon-reloads",
    "The daemon survives its reload",
    "systemctl reload of the daemon, which sends SIGHUP",
    identity="root",
    kind="positive",
    seconds=40,
)
def daemon_reloads(world: World) -> Attempt:
    """The same process answers afterwards."""
    unit = world.unit("daemon")
    before = system.main_pid(unit)
    status, said = system.command("systemctl", "reload", unit, seconds=world.patience(20))
    answer = world.call("Ping")
    after = system.main_pid(unit)
    evidence = (f"reload: status {status} {said}", f"pid {before}, then {after}: {answer}")
    return Attempt(status == 0 and before == after != 0, evidence)


def comes_back(world: World, key: str) -> Attempt:
    """Kill the unit's main process; whether another one takes its place, and how soon."""
    unit = world.unit(key)
    before = system.main_pid(unit)
    if not before:
        return stopped(f"{unit} does not run")
    with suppress(ProcessLookupError):
        os.kill(before, signal.SIGKILL)

    def back() -> dict[str, str] | None:
        found = system.show([unit], ["MainPID", "ActiveState", "NRestarts"])[0]
        fine = found["ActiveState"] == "active" and found["MainPID"] not in ("0", str(before))
        return found if fine else None

    found = system.until(back, seconds=world.patience(15), every=0.3)
    state = found or system.show([unit], ["ActiveState", "Result"])
    return Attempt(found is not None, (f"{unit}: pid {before} killed", f"then {state}"))


@probe(
    "use.daemon-restarts",
    "The daemon comes back after a kill",
    "SIGKILL to the daemon's main process by root",
    identity="root",
    kind="positive",
    seconds=60,
)
def daemon_restarts(world: World) -> Attempt:
    """Back means that it answers on the bus, too."""
    came = comes_back(world, "daemon")

    def answers() -> str | None:
        with suppress(Exception):
            return str(world.call("Ping"))
        return None

    said = system.until(answers, seconds=world.patience(10), every=0.3)
    return Attempt(bool(came.succeeded and said), (*came.evidence, f"Ping: {said}"))


@probe(
    "use.filter-restarts",
    "The filter comes back after a kill",
    "SIGKILL to the filter's main process by root",
    identity="root",
    kind="positive",
    seconds=60,
)
def filter_restarts(world: World) -> Attempt:
    """As systemd tells it."""
    return comes_back(world, "filter")


@probe(
    "use.monitor-restarts",
    "The child's monitor comes back after a kill",
    "SIGKILL to the monitor's main process by root",
    identity="root",
    kind="positive",
    seconds=60,
)
def monitor_restarts(world: World) -> Attempt:
    """As systemd tells it."""
    return comes_back(world, "monitor")
