"""What the host needs, gathered from the parts that need it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Protocol

import images.requirements
import validate.machine.requirements
from results.base.errors import InfrastructureError
from results.base.process import which


class Need(Protocol):
    """One thing that a part needs on the host."""

    @property
    def package(self) -> str:
        """Debian package that has it."""

    @property
    def why(self) -> str:
        """What for."""


def missing() -> tuple[Need, ...]:
    """Everything that the host lacks for the whole job."""
    return (*images.requirements.missing(), *validate.machine.requirements.missing())


def require() -> None:
    """Raise `InfrastructureError` with the remedy where the host lacks something for the whole job."""
    lacking = sorted({need.package for need in missing()})
    if lacking:
        raise InfrastructureError(f"this host lacks {', '.join(lacking)}", "run `nox -s doctor -- --fix`")


def missing_for_nix() -> tuple[Need, ...]:
    """What `nox -s nix` and its tests lack; the Debian targets do without it."""
    evaluator = images.requirements.Requirement("nix-instantiate", "nix-bin", "evaluates the NixOS side (`nox -s nix`)")
    return () if which(evaluator.program) else (evaluator,)


def mending_command(needs: Sequence[Need]) -> list[list[str]]:
    """Argument vectors that install what is missing; through sudo for an ordinary user."""
    packages = sorted({need.package for need in needs})
    if not packages:
        return []
    prefix = [] if os.geteuid() == 0 else ["sudo"]
    return [
        [*prefix, "apt-get", "update"],
        [*prefix, "apt-get", "install", "-y", "--no-install-recommends", *packages],
    ]
