"""What a run works from, loaded once and frozen: product, controls, rendered tree, checks, bundle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harden.bundle import bundle
from harden.catalogue import Catalogue, load_catalogue
from harden.check import Check
from harden.checks import checks
from harden.nixos import Store, nixos_checks, nixos_product
from harden.product import DEFAULT_PRODUCT, Product, load_product
from harden.render import Tree, render
from images.nixos import STORE
from results.base.errors import UsageError
from results.base.strict import load_json


@dataclass(frozen=True)
class Plan:
    """The hardening side of a run."""

    product: Product
    """As it lies on the machine."""
    catalogue: Catalogue
    tree: Tree
    described: Product
    """As the product description has it, which is how it lies on Debian."""
    store: Store | None = None
    """Where programs lie on NixOS; None: the machine is a Debian one."""

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Every check that the controls imply."""
        made = checks(self.catalogue, self.described)
        return nixos_checks(made, self.described, self.store, self.tree) if self.store else made

    @cached_property
    def bundle(self) -> bytes:
        """The archive that is deployed on a running machine."""
        return bundle(self.tree, self.described)


def load_plan(product_file: Path | None = None) -> Plan:
    """Read and render everything. Raises `UsageError` that lists every problem of the files."""
    product = load_product(product_file or DEFAULT_PRODUCT)
    catalogue = load_catalogue()
    return Plan(product, catalogue, render(catalogue, product), product)


def on_nixos(plan: Plan, image: Path) -> Plan:
    """The plan for the NixOS image in this folder. Raises `UsageError` where it does not say where programs lie."""
    path = image / STORE
    store: Store = load_json(path, Store)
    try:
        product = nixos_product(plan.described, store)
    except ValueError as error:
        raise UsageError(f"{path}: {error}", "the image is built from nix/flake.nix, which writes the file") from None
    return replace(plan, product=product, store=store)
