"""A host outside of this machine: a network namespace with addresses of its own, behind a wire of the kernel.

The machine has no network that leads anywhere, so the Internet, the house's other machines and a cloud's metadata
service are one process in another namespace. Packets to it are routed and filtered like any that leave the machine.
Standard library only; root.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from validate.guest import kernel
from validate.guest.identity import Ended, Limits, run_as

CLONE_NEWNET = 0x40000000
BODY = b"dots-family-upstream\n"
PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY) + BODY
)

# Addresses for documentation, which nobody has: the other end's, and ours on the wire.
V4, OURS_V4 = "198.51.100.2", "198.51.100.1"
V6, OURS_V6 = "2001:db8:d075::2", "2001:db8:d075::1"
NEIGHBOUR, OURS_NEIGHBOUR = "192.168.77.2", "192.168.77.1"
METADATA, OURS_METADATA = "169.254.169.254", "169.254.169.253"
TCP_PORTS = (22, 53, 80, 443, 853)
UDP_PORTS = (53, 443, 853)
WIRE, OTHER_END = "dots-out", "dots-far"

HERE = f"""link add {WIRE} address 02:d0:75:00:00:01 type veth peer name {OTHER_END} address 02:d0:75:00:00:02 netns %d
address add {OURS_V4}/24 dev {WIRE}
address add {OURS_V6}/64 dev {WIRE} nodad
address add {OURS_NEIGHBOUR}/24 dev {WIRE}
address add {OURS_METADATA}/30 dev {WIRE}
link set {WIRE} up
"""
THERE = f"""link set lo up
address add {V4}/24 dev {OTHER_END}
address add {V6}/64 dev {OTHER_END} nodad
address add {NEIGHBOUR}/24 dev {OTHER_END}
address add {METADATA}/30 dev {OTHER_END}
link set {OTHER_END} up
"""


def _ip(commands: str) -> None:
    """Let ip(8) do several things at once. Raises `OSError`."""
    done = subprocess.run(  # noqa: PLW1510 - inside the machine; the status is looked at
        ["/usr/sbin/ip", "-batch", "-"],
        input=commands.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
    )
    if done.returncode:
        raise OSError(f"ip: status {done.returncode}: {done.stdout[-200:].decode(errors='backslashreplace')}")


@contextmanager
def network() -> Iterator[int]:
    """The host outside; its process id. It ends with the block. Raises `OSError` when it does not come to answer."""
    told, tell = os.pipe()
    wired, wire = os.pipe()
    pid = os.fork()
    if pid == 0:
        _host(told, tell, wired, wire)
    try:
        os.close(tell)
        os.close(wired)
        _awaited(told, "its namespace")
        _ip(HERE % pid)
        os.write(wire, b"\n")
        _awaited(told, "its services")
        for address in (V4, V6, NEIGHBOUR, METADATA):
            socket.create_connection((address, 80), timeout=10).close()
        yield pid
    finally:
        for descriptor in (told, wire):
            os.close(descriptor)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _awaited(descriptor: int, what: str) -> None:
    ready = select.select([descriptor], [], [], 60)[0]
    said = os.read(descriptor, 300) if ready else b""
    if said != b"\n":
        raise OSError(f"the host outside has not got {what}: {said.decode(errors='backslashreplace') or 'no word'}")


def _host(told: int, tell: int, wired: int, wire: int) -> None:
    """The other process: it never returns."""
    try:
        os.close(told)
        os.close(wire)
        kernel.call("unshare", CLONE_NEWNET)
        os.write(tell, b"\n")
        if os.read(wired, 1) == b"\n":
            _ip(THERE)
            services = _services()
            os.write(tell, b"\n")
            _serve(services)
    except BaseException as error:  # noqa: BLE001 - told to who waits for it
        os.write(tell, f"{type(error).__name__}: {error}"[:300].encode())
    finally:
        os._exit(1)


def _services() -> list[socket.socket]:
    made = []
    for kind, ports in ((socket.SOCK_STREAM, TCP_PORTS), (socket.SOCK_DGRAM, UDP_PORTS)):
        for port in ports:
            service = socket.socket(socket.AF_INET6, kind)
            service.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            service.bind(("::", port))
            if kind == socket.SOCK_STREAM:
                service.listen(64)
            made.append(service)
    return made


def _serve(services: list[socket.socket]) -> None:
    """Answer every connection with a page, and every datagram with itself, for ever."""
    while True:
        for service in select.select(services, [], [])[0]:
            with suppress(OSError):
                _answer(service)


def _answer(service: socket.socket) -> None:
    if service.type == socket.SOCK_DGRAM:
        data, sender = service.recvfrom(2048)
        service.sendto(data, sender)
        return
    connection, _ = service.accept()
    with connection:
        connection.settimeout(3)
        data = b""
        while b"\r\n\r\n" not in data and len(data) < 1 << 16:
            piece = connection.recv(4096)
            if not piece:
                return
            data += piece
        connection.sendall(PAGE)


def connect(address: str, port: int, *, seconds: float = 3) -> str:
    """Open a connection and hang up. Raises `OSError`."""
    with socket.create_connection((address, port), timeout=seconds) as connection:
        return f"{connection.getsockname()[0]} connected to {address} port {port}"


def exchange(address: str, port: int, *, seconds: float = 3) -> str:
    """Send a datagram and wait for it to come back. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as link:
        link.settimeout(seconds)
        link.connect((address, port))
        link.send(BODY)
        if link.recv(2048) != BODY:
            raise OSError("another answer than what was sent")
        return f"a datagram went to {address} port {port} and came back"


def from_outside(pid: int, function: Callable[..., Any], *arguments: Any, seconds: float = 20) -> Ended:
    """Run a function of ours on the host outside, whose process id `pid` is."""

    def there() -> Any:
        kernel.join_namespace(f"/proc/{pid}/ns/net")
        return function(*arguments)

    return run_as(None, there, limits=Limits(seconds=seconds))
