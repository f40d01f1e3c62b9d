"""What a child may try to reach the web, or to be it: past the filter, through it, in its place."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable

from validate.guest import outside, system, web
from validate.guest.identity import become
from validate.guest.probing import Attempt, World, probe, stopped, tried, worked

EGRESS = ("network.children-egress", "network.children-known")
Reach = Callable[[], str]


def past(name: str, title: str, attempt: str, *ways: Reach) -> None:
    """Declare an attempt to get out without the filter. It succeeds when one of the ways leads out."""

    @probe(f"child.{name}", title, attempt, identity="root", positive="use.web-allowed", controls=EGRESS, seconds=30)
    def act(world: World) -> Attempt:
        """Root first: what does not answer root proves nothing about a child."""
        evidence, out = [], False
        for way in ways:
            if not world.outside or world.as_(None, way).error:
                return Attempt(succeeded=None, evidence=("there is no host outside",))
            ended = world.as_("child", way)
            out = out or not ended.error
            evidence.append(f"root: reached; the child: {ended.value or ended.error}")
        return Attempt(out, evidence)


def tcp(address: str, port: int) -> Reach:
    """Connect."""
    return lambda: outside.connect(address, port)


def udp(address: str, port: int) -> Reach:
    """Exchange a datagram."""
    return lambda: outside.exchange(address, port)


V4, V6 = outside.V4, outside.V6
past("bypasses-filter", "A child reaches the web without the filter", "connect to port 80 over IPv4", tcp(V4, 80))
past("bypasses-filter-tls", "A child reaches the secure web without the filter", "connect to port 443", tcp(V4, 443))
past(
    "bypasses-filter-v6",
    "A child reaches the web over IPv6 without the filter",
    "connect to ports 80 and 443 over IPv6",
    tcp(V6, 80),
    tcp(V6, 443),
)
past(
    "bypasses-filter-quic",
    "A child reaches the web by QUIC without the filter",
    "exchange datagrams with port 443, over IPv4 and IPv6",
    udp(V4, 443),
    udp(V6, 443),
)
past(
    "hides-questions",
    "A child asks for names where nobody can see it",
    "DNS over TLS and over QUIC: port 853, over IPv4 and IPv6",
    tcp(V4, 853),
    tcp(V6, 853),
    udp(V4, 853),
)
past("asks-elsewhere", "A child asks a name server of its own choice", "exchange a datagram with port 53", udp(V4, 53))
past(
    "reaches-neighbours",
    "A child reaches the house's other machines, and a cloud's metadata",
    "connect to both",
    tcp(outside.NEIGHBOUR, 80),
    tcp(outside.METADATA, 80),
)


@probe(
    "child.is-new",
    "A new child reaches the web before the packet filter knows it",
    "make an account in the children's group, and see whether it gets out after a while",
    identity="root",
    positive="use.parent-reaches-web",
    controls=("network.rules-loaded", "network.children-known"),
    seconds=60,
)
def is_new(world: World) -> Attempt:
    """The account is made as an administrator would make it, and taken away again."""
    name = "dots-newcomer"
    group = world.product["groups"]["children"]
    system.command("useradd", "--no-create-home", "--groups", group, name, seconds=world.patience(10), check=True)
    try:
        started = time.monotonic()
        people = world._replace(people={**world.people, "newcomer": name})

        def refused() -> str:
            return people.as_("newcomer", outside.connect, V4, 80).error

        error = system.until(refused, seconds=world.patience(2), every=0.3)
        taken = f"after {time.monotonic() - started:.1f} s"
        return stopped(f"{taken}: {error}") if error else worked(f"{taken} it still gets out")
    finally:
        system.command("userdel", name, seconds=world.patience(10))


def serve_instead(user: str, port: int, seconds: float) -> None:
    """Serve our own page where the filter should be, as the child; for a forked process, which ends here."""
    try:
        become(user)
        with socket.create_server(("127.0.0.1", port)) as listener:
            listener.settimeout(seconds)
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(outside.PAGE)
    finally:
        os._exit(0)


@probe(
    "child.plays-filter",
    "A child answers in the filter's place while that is down",
    "listen on its port, and whether a parent gets the child's page there",
    identity="root",
    positive="use.web-allowed",
    controls=("network.children-egress",),
    seconds=60,
)
def plays_filter(world: World) -> Attempt:
    """The filter is stopped by root for as long as it takes, as it would be by a crash at the right moment."""
    address, port = world.product["filter"]["address"], world.product["filter"]["port"]
    unit = world.unit("filter")
    system.command("systemctl", "stop", unit, seconds=world.patience(15), check=True)
    try:
        pid = os.fork()
        if pid == 0:
            serve_instead(world.people["child"], port, world.patience(6))
        time.sleep(world.patience(0.3))
        ended = world.as_("parent", lambda: list(web.get((address, port), f"http://{V4}/", V4, seconds=2)[:1]))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    finally:
        system.command("systemctl", "start", unit, seconds=world.patience(15))
    said = f"the parent: {ended.value or ended.error}"
    return worked(said) if ended.value == [200] else stopped(said)


@probe(
    "child.takes-proxy-port",
    "A child takes the filter's port",
    "bind to it, sharing allowed, while the filter runs",
    identity="child",
    positive="use.web-allowed",
    controls=("systemd.filter.active",),
)
def takes_proxy_port(world: World) -> Attempt:
    """What listens there is what the browser trusts."""

    def take() -> None:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((world.product["filter"]["address"], world.product["filter"]["port"]))
            listener.listen(1)

    return tried("bind", take)


def inside(name: str, title: str, host: str) -> None:
    """Declare the attempt to have the filter reach what it must not reach."""

    @probe(
        f"child.{name}",
        title,
        f"CONNECT {host} through the proxy",
        identity="child",
        positive="use.web-connect",
        controls=("systemd.filter.egress",),
        seconds=30,
    )
    def act(world: World) -> Attempt:
        proxy = (world.product["filter"]["address"], world.product["filter"]["port"])
        answer = web.tunnel(proxy, host, seconds=world.patience(6))
        # Any answer but a refusal means that the filter was willing; that nobody lives there is chance.
        said = f"status {answer.status}: {answer.data[:80]!r}"
        return stopped(said) if answer.status == 403 else worked(said)


inside("proxies-loopback", "A child reaches this machine's own services through the filter", "127.0.0.1:22")
inside("proxies-metadata", "A child reaches a cloud's metadata through the filter", "169.254.169.254:80")
inside("proxies-mapped", "A child reaches loopback through the filter in IPv6 clothes", "[::ffff:127.0.0.1]:22")
