"""What a run works from, loaded once and frozen: product, controls, rendered tree, checks, bundle."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harden.bundle import bundle
from harden.catalogue import Catalogue, load_catalogue
from harden.check import Check
from harden.checks import checks
from harden.product import DEFAULT_PRODUCT, Product, load_product
from harden.render import Tree, render


@dataclass(frozen=True)
class Plan:
    """The hardening side of a run."""

    product: Product
    catalogue: Catalogue
    tree: Tree

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """Every check that the controls imply."""
        return tuple(checks(self.catalogue, self.product))

    @cached_property
    def bundle(self) -> bytes:
        """The archive that is deployed on a running machine."""
        return bundle(self.tree, self.product)


def load_plan(product_file: Path | None = None) -> Plan:
    """Read and render everything. Raises `UsageError` that lists every problem of the files."""
    product = load_product(product_file or DEFAULT_PRODUCT)
    catalogue = load_catalogue()
    return Plan(product, catalogue, render(catalogue, product))
