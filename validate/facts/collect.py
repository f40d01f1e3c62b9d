"""Asks a machine for its facts: one round trip, nothing written to the machine's disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from harden.product import Product
from results.base.errors import InfrastructureError
from validate.facts.schema import checked
from validate.guest.bundle import packed

GUEST = "validate.facts.guest"
SECONDS = 120.0
"""Time limit of the round trip; a healthy machine needs five, even under emulation."""
_GLOB = frozenset("*?[")
MODULES = tuple(
    sorted(f"{GUEST}.{path.stem}" for path in (Path(__file__).parent / "guest").glob("*.py") if path.stem != "__init__")
)
MAIN = f"from {GUEST}.collector import main\nRESULT = main(ARGUMENT)\n"


class Asks(Protocol):
    """What is needed of a session."""

    def python(
        self, source: str, argument: object = None, *, modules: Mapping[str, str] = ..., timeout: float = ...
    ) -> Any:
        """Run a script in the machine and return its RESULT."""


def script() -> str:
    """The collector as one script, the same text for the same sources."""
    return packed(MODULES, MAIN)


def collector_digest() -> str:
    """Tells collectors apart: `sha256:…` over everything that is sent."""
    return f"sha256:{hashlib.sha256(script().encode()).hexdigest()}"


def needed(facts: Iterable[Sequence[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Units and paths that facts at these places (those that checks look at) need: `extra_units`, `extra_paths`."""
    places = [place for place in facts if len(place) > 1]
    units = {place[1] for place in places if place[0] == "units"}
    paths = {place[1] for place in places if place[0] == "files" and place[1].startswith("/")}
    whole = {path if not _GLOB.intersection(path) else path[: _first_glob(path)].rpartition("/")[0] for path in paths}
    return tuple(sorted(units)), tuple(sorted(path for path in whole if path))


def _first_glob(path: str) -> int:
    return min(index for index, letter in enumerate(path) if letter in _GLOB)


def questions(product: Product, units: Sequence[str], paths: Sequence[str], *, exposure: bool) -> dict[str, Any]:
    """What the collector is asked."""
    described = product.model_dump(mode="json")
    return {"product": described, "units": list(units), "paths": list(paths), "exposure": exposure}


def collect(
    session: Asks,
    product: Product,
    *,
    extra_units: Sequence[str] = (),
    extra_paths: Sequence[str] = (),
    exposure: bool = False,
) -> dict[str, Any]:
    """Collect all facts of the machine behind `session`, as root.

    `exposure` also asks for systemd's own score of each unit, which costs seconds under emulation. Raises
    `InfrastructureError` when the answer is not what a collector sends, `UsageError` when it is from a newer one.
    """
    source = script()
    asked = questions(product, extra_units, extra_paths, exposure=exposure)
    answer = session.python(source, asked, timeout=SECONDS)
    facts = checked(answer, InfrastructureError, "the machine's answer")
    return {**facts, "collector": f"sha256:{hashlib.sha256(source.encode()).hexdigest()}"}
