"""What a run works from, loaded once and frozen: product, controls, the tree with its tools, checks, bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from harden.bundle import bundle
from harden.catalogue import Catalogue, load_catalogue
from harden.check import Check
from harden.checks import checks
from harden.nixos import Store, nixos_checks, nixos_product
from harden.product import DEFAULT_PRODUCT, Product, load_product
from harden.render import Tree, render
from harden.tools import with_answers, with_tools
from images.nixos import STORE
from results.base.errors import UsageError
from results.base.strict import load_json
from validate.facts.collect import MODULES, collector_digest, needed, questions
from validate.guest.bundle import closure

JUDGE = "validate.audit.judge"


@dataclass(frozen=True)
class Plan:
    """The hardening side of a run."""

    product: Product
    """As it lies on the machine."""
    catalogue: Catalogue
    tree: Tree
    """All that a hardened machine gets, tools included."""
    checks: tuple[Check, ...]
    """Every check that the controls imply."""
    described: Product
    """As the product description has it, which is how it lies on Debian."""
    store: Store | None = None
    """Where programs lie on NixOS; None: the machine is a Debian one."""

    @cached_property
    def bundle(self) -> bytes:
        """The archive that is deployed on a running machine."""
        return bundle(self.tree, self.described)


def load_plan(product_file: Path | None = None) -> Plan:
    """Read and render everything. Raises `UsageError` that lists every problem of the files."""
    product = load_product(product_file or DEFAULT_PRODUCT)
    catalogue = load_catalogue()
    tooled = with_tools(render(catalogue, product), closure([JUDGE, *MODULES]))
    every = checks(catalogue, product, tooled)
    tree = with_answers(tooled, product, audit_answers(product, every))
    return Plan(product, catalogue, tree, every, product)


def audit_answers(product: Product, every: Sequence[Check]) -> dict[str, Any]:
    """What the audit on the machine itself works from, by file name: its checks, and what it asks."""
    units, paths = needed(check.fact for check in every)
    asked = {"collector": collector_digest(), **questions(product, units, paths, exposure=False)}
    return {"checks.json": [one.to_json() for one in every], "questions.json": asked}


def on_nixos(plan: Plan, image: Path) -> Plan:
    """The plan for the NixOS image in this folder. Raises `UsageError` where it does not say where programs lie."""
    path = image / STORE
    store: Store = load_json(path, Store)
    try:
        return in_store(plan, store)
    except ValueError as error:
        raise UsageError(f"{path}: {error}", "the image is built from nix/flake.nix, which writes the file") from None


def in_store(plan: Plan, store: Store) -> Plan:
    """The plan for a NixOS machine with the programs there. Raises `ValueError` where one is lacking."""
    product = nixos_product(plan.described, store)
    made = nixos_checks(plan.checks, plan.described, store, plan.tree)
    return replace(plan, product=product, checks=made, store=store)
