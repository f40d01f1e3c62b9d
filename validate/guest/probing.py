"""What a probe is, and how one is run inside the machine. Standard library only.

A probe is a function that takes the `World` and says what came of its attempt. The decorator holds what there is to
know about it, so that host and machine read the same lines.
"""

from __future__ import annotations

import errno
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from validate.guest.dbus import Address, BusError, Connection
from validate.guest.identity import Ended, Limits, run_as

EVIDENCE_LINES = 12
EVIDENCE_WIDTH = 300


class World(NamedTuple):
    """What a probe finds itself in: the product's description, who is who, and how slow the machine is."""

    product: dict[str, Any]
    people: dict[str, str]
    """parent, child, outsider -> user name."""
    scale: float = 1.0
    """Factor on every time limit: emulation is slower than silicon."""
    host: str = ""
    """This machine's own address that is not loopback; empty when it has none."""
    outside: int = 0
    """Process id of the host outside (`validate.guest.outside`); 0 when there is none."""

    @property
    def address(self) -> Address:
        """The product on the bus."""
        bus = self.product["bus"]
        return Address(bus["name"], bus["path"], bus["interface"])

    def unit(self, key: str) -> str:
        """The name of a unit; of a template, the child's instance."""
        return str(self.product["units"][key]["name"]).replace("@.", f"@{self.people['child']}.")

    def patience(self, seconds: float) -> float:
        """A time limit in this machine."""
        return seconds * self.scale

    def call(self, member: str, *arguments: object) -> Any:
        """Call a method of the product as whoever we are; its first result."""
        methods = {name: one for group in self.product["bus"]["methods"].values() for name, one in group.items()}
        with Connection(seconds=self.patience(5)) as bus:
            answer = bus.call(self.address, member, methods[member].get("arguments", ""), *arguments)
        return answer[0] if answer else None

    def as_(self, role: str | None, function: Callable[..., Any], *arguments: Any, seconds: float = 10) -> Ended:
        """Run a function as parent, child or outsider (None: as we are), or as a process of the child's monitor."""
        user = self.people.get("child" if role == "monitor" else role or "", role)
        group = str(self.product["groups"].get("monitors", "")) if role == "monitor" else ""
        return run_as(user, function, *arguments, limits=Limits(seconds=self.patience(seconds)), group=group)

    def result(self, role: str | None, function: Callable[..., Any], *arguments: Any, seconds: float = 30) -> Any:
        """Like `as_`, but only what the function gave. Raises `RuntimeError` where it gave nothing."""
        ended = self.as_(role, function, *arguments, seconds=seconds)
        if ended.error:
            raise RuntimeError(ended.error)
        return ended.value


class Attempt(NamedTuple):
    """What came of it. None: it could not be tried, which is never good news."""

    succeeded: bool | None
    evidence: Sequence[str] = ()


class Spec(NamedTuple):
    """What there is to know about a probe."""

    id: str
    title: str
    kind: str
    identity: str
    attempt: str
    positive: str
    controls: tuple[str, ...]
    sandbox: str
    """Key of the unit in whose sandbox it runs; empty: as `identity` in the open."""
    seconds: float
    function: Callable[[World], Attempt]


REGISTRY: dict[str, Spec] = {}

OPEN = {"parent": "parent", "child": "child", "user": "outsider"}
"""Identities that the runner takes on; all others start as root and take on what they need."""


def probe(  # noqa: PLR0913 - a declaration with names, read as a table
    id: str,  # noqa: A002 - its own word
    title: str,
    attempt: str,
    *,
    identity: str,
    kind: str = "attack",
    positive: str = "",
    controls: Sequence[str] = (),
    sandbox: str = "",
    seconds: float = 15,
) -> Callable[[Callable[[World], Attempt]], Callable[[World], Attempt]]:
    """Declare a probe. `positive` is the id of the probe that shows the legitimate use, `controls` what stops it."""

    def declare(function: Callable[[World], Attempt]) -> Callable[[World], Attempt]:
        if id in REGISTRY:
            raise ValueError(f"two probes are called {id}")
        REGISTRY[id] = Spec(id, title, kind, identity, attempt, positive, tuple(controls), sandbox, seconds, function)
        return function

    return declare


def run_one(world: World, spec: Spec) -> dict[str, Any]:
    """Run one probe in a child process as its identity; one plain record."""
    started = time.monotonic()
    ended = world.as_(OPEN.get(spec.identity), attempted, spec, world, seconds=spec.seconds)
    return record(spec.id, ended, time.monotonic() - started)


def attempted(spec: Spec, world: World) -> list[Any]:
    """Make the attempt in this process. A use that somebody refuses has failed, which is not the same as broken."""
    try:
        succeeded, evidence = spec.function(world)
    except (BusError, OSError) as error:
        if spec.kind != "positive":
            raise
        succeeded, evidence = stopped(f"{type(error).__name__}: {error}")
    return [succeeded, bounded(evidence)]


def bounded(evidence: Sequence[object]) -> list[str]:
    """Some lines of some width, whatever a probe has said."""
    return [str(line)[:EVIDENCE_WIDTH] for line in evidence[:EVIDENCE_LINES]]


def record(name: str, ended: Ended, seconds: float) -> dict[str, Any]:
    """What is sent home about one probe: bounded, whatever the probe has said."""
    succeeded, evidence = ended.value or (None, [])
    lines = bounded(evidence)
    if ended.signal == signal.SIGSYS:
        succeeded, lines, message = False, ["killed by SIGSYS: a system call that the filter does not allow"], ""
    elif ended.error:
        succeeded, message = None, ended.error[:EVIDENCE_WIDTH]
    else:
        message = ""
    return {"id": name, "succeeded": succeeded, "evidence": lines, "message": message, "seconds": round(seconds, 3)}


def worked(*evidence: str) -> Attempt:
    """It did what it set out to do."""
    return Attempt(succeeded=True, evidence=evidence)


def stopped(*evidence: str) -> Attempt:
    """It did not; the evidence tells who said no."""
    return Attempt(succeeded=False, evidence=evidence)


def tried(what: str, function: Callable[[], Any]) -> Attempt:
    """Try it: success is that nothing was raised; an error is the evidence of who said no.

    `OSError` and bus errors mean "stopped"; anything else breaks the probe, and shows as such.
    """
    try:
        said = function()
    except BusError as error:
        return stopped(f"{what}: {error.name}: {error.message}")
    except OSError as error:
        return stopped(f"{what}: {errno_name(error)}")
    return worked(f"{what}: done" + ("" if said is None else f", got {said!r}"))


def errno_name(error: OSError) -> str:
    """`EACCES (Permission denied)`."""
    name = errno.errorcode.get(error.errno or 0, type(error).__name__)
    return f"{name} ({error.strerror or error})"
