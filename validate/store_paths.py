"""Where the product's programs lie on a running NixOS machine."""

from __future__ import annotations

from typing import Any, Protocol

from harden.nixos import Store
from harden.policy import TOOLS
from harden.product import Product
from results.base.errors import InfrastructureError

SCRIPT = """
import os
FOLDER = "/run/current-system/sw/bin/"
RESULT = {name: os.path.realpath(FOLDER + name) for name in ARGUMENT if os.path.exists(FOLDER + name)}
"""


class Asks(Protocol):
    """What is needed of a session."""

    def python(self, source: str, argument: object = None) -> Any:
        """Run a script in the machine and return its RESULT."""


def ask(session: Asks, product: Product) -> Store:
    """Ask the machine. Raises `InfrastructureError` where it is no NixOS, or lacks one of the programs."""
    names = {key: path.rpartition("/")[2] for key, path in product.binaries.items()}
    found = session.python(SCRIPT, [*names.values(), *TOOLS])
    lacking = sorted(name for name in names.values() if name not in found)
    if lacking:
        raise InfrastructureError(
            f"{', '.join(lacking)}: not in /run/current-system/sw/bin",
            "is it a NixOS machine, and is services.dots-family enabled on it?",
        )
    return Store(
        binaries={key: str(found[name]) for key, name in names.items()},
        tools={tool: str(found[tool]) for tool in TOOLS if tool in found},
    )
