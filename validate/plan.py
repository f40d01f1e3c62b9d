"""What a run works from, loaded once and frozen: product, controls, the tree with its tools, checks, bundle."""

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
from harden.tools import with_answers, with_tools
from validate.facts.collect import MODULES, collector_digest, needed, questions
from validate.guest.bundle import closure

JUDGE = "validate.audit.judge"


@dataclass(frozen=True)
class Plan:
    """The hardening side of a run."""

    product: Product
    catalogue: Catalogue
    tree: Tree
    """All that a hardened machine gets, tools included."""
    checks: tuple[Check, ...]
    """Every check that the controls imply."""

    @cached_property
    def bundle(self) -> bytes:
        """The archive that is deployed on a running machine."""
        return bundle(self.tree, self.product)


def load_plan(product_file: Path | None = None) -> Plan:
    """Read and render everything. Raises `UsageError` that lists every problem of the files."""
    product = load_product(product_file or DEFAULT_PRODUCT)
    catalogue = load_catalogue()
    tooled = with_tools(render(catalogue, product), closure([JUDGE, *MODULES]))
    every = checks(catalogue, product, tooled)
    units, paths = needed(check.fact for check in every)
    asked = {"collector": collector_digest(), **questions(product, units, paths, exposure=False)}
    return Plan(product, catalogue, with_answers(tooled, product, [one.to_json() for one in every], asked), every)
