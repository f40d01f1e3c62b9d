"""Requests through the web filter, with a short block list and with a long one. Runs in the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from validate.benchmarks.content.clock import each
from validate.guest import system, web
from validate.guest.probing import World

Raw = dict[str, list[float]]
REQUESTS = 50
WARM_UP = 40
"""More than the filter has threads: the first request of each touches memory that it never had."""
LONG = 20_000
"""Names in the long list; lists that families subscribe to have ten thousand and more."""

BLOCKED = "perf-blocked.invalid"


def measure(world: World) -> Raw:
    """Microseconds of each request of the child, each on a connection of its own."""
    raw: Raw = {}
    with web.upstream() as site:
        for length, names in (("short", 0), ("long", LONG)):
            with block_list(world, names):
                for kind in ("plain", "connect", "refused"):
                    raw[f"filter.{kind}.{length}"] = world.result("child", requests, world, kind, site, seconds=90)
    return raw


@contextmanager
def block_list(world: World, more: int) -> Iterator[None]:
    """The product's own list with one name of ours, and `more` others, for as long as the block lasts."""
    path = world.product["filter"]["block_list"]
    with open(path, "rb") as file:  # noqa: PTH123
        former = file.read()
    names = "".join(f"blocked-{number:06}.invalid\n" for number in range(more))
    rewrite(world, path, former.rstrip(b"\n") + f"\n{BLOCKED}\n{names}".encode())
    try:
        yield
    finally:
        rewrite(world, path, former)


def rewrite(world: World, path: str, content: bytes) -> None:
    """Replace the list in place, so that owner and mode stay, and have the filter read it."""
    with open(path, "r+b") as file:  # noqa: PTH123
        file.write(content)
        file.truncate()
        os.fsync(file.fileno())
    system.command("systemctl", "reload", world.unit("filter"), check=True)


def requests(world: World, kind: str, site: web.Upstream) -> list[float]:
    """Microseconds of each. Raises `ValueError` when one is not answered as it has to be."""
    proxy = (world.product["filter"]["address"], world.product["filter"]["port"])
    seconds = world.patience(5)

    def plain() -> None:
        expect(web.get(proxy, f"http://{site.host}/", site.host, seconds=seconds), 200)

    def connect() -> None:
        expect(web.tunnel(proxy, site.host, seconds=seconds), 200)

    def refused() -> None:
        expect(web.get(proxy, f"http://{BLOCKED}/", BLOCKED, seconds=seconds), 403)

    return each(REQUESTS, {"plain": plain, "connect": connect, "refused": refused}[kind], warm_up=WARM_UP)


def expect(answer: web.Answer, status: int) -> None:
    """Raise `ValueError` for another status."""
    if answer.status != status:
        raise ValueError(f"status {answer.status}, not {status}: {answer.data[:80]!r}")
