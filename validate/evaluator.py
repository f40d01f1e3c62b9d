"""Nix as an evaluator of expressions: no daemon, no root, no network, and nothing left behind."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from results.base.errors import InfrastructureError, UsageError
from results.base.events import Events
from results.base.process import run as run_command
from results.base.process import which

EVALUATOR = "nix-instantiate"
LEAST_FOR_NIXPKGS = (2, 18)
"""The Nix that nixpkgs of 2026 wants at least (its `lib/minfeatures.nix`); what stands on builtins alone takes 2.8."""


class EvaluationError(UsageError):
    """Nix could not evaluate what it was given: for our own files, a check that failed."""


@contextmanager
def private_store() -> Iterator[dict[str, str]]:
    """Environment in which Nix keeps its state in a folder of ours."""
    with tempfile.TemporaryDirectory(prefix="dots-nix-") as folder:
        names = ("STATE", "STORE", "LOG", "CONF", "LOCALSTATE", "DATA")
        yield {f"NIX_{name}_DIR": f"{folder}/{name.lower()}" for name in names} | {"HOME": folder}


def evaluate(expression: str, environment: Mapping[str, str], events: Events) -> Any:
    """The value of a Nix expression as plain data. Raises `EvaluationError` that quotes what Nix said."""
    argv = [EVALUATOR, "--eval", "--strict", "--json", "--readonly-mode", "--expr", expression]
    done = run_command(argv, events=events, env=environment, check=False, timeout=600)
    if done.status:
        raise EvaluationError(f"{EVALUATOR}: the evaluation failed", evidence_of(done.tail))
    return json.loads(done.text)


def evidence_of(tail: str) -> str:
    """The lines of Nix's complaint that tell a person something: errors, where they stand, who defined what."""
    told = [line.strip() for line in tail.splitlines() if re.match(r"\s*(at |- In )|.*error:", line)]
    return "; ".join(told) or tail


def require() -> None:
    """Raise `InfrastructureError` where the host has no Nix."""
    if which(EVALUATOR) is None:
        raise InfrastructureError(f"{EVALUATOR}: not found on this host", "apt-get install nix-bin")


def version(environment: Mapping[str, str], events: Events) -> tuple[int, ...]:
    """Nix's version as numbers."""
    text = run_command([EVALUATOR, "--version"], events=events, env=environment, check=False).text
    found = re.search(r"([0-9]+(?:\.[0-9]+)+)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def too_old(environment: Mapping[str, str], events: Events) -> str:
    """Why this Nix cannot evaluate nixpkgs; empty when it can."""
    found = version(environment, events)
    if found >= LEAST_FOR_NIXPKGS:
        return ""
    least = ".".join(map(str, LEAST_FOR_NIXPKGS))
    return f"{EVALUATOR} is {'.'.join(map(str, found)) or 'of no known version'}, and nixpkgs wants {least} at least"
