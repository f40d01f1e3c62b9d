"""From controls and a product to the checks that judge a machine's facts."""

from __future__ import annotations

from harden.catalogue import Catalogue
from harden.check import Check
from harden.control import Control, Expectation
from harden.layers import LAYERS
from harden.product import Product
from harden.render import place, render_placed
from harden.tree import Tree


def _check(control: Control, expectation: Expectation, remediation: str) -> Check:
    expected = expectation.expected
    return Check(
        control=control.id,
        title=control.title,
        layer=control.layer,
        severity=control.severity,
        fact=expectation.fact,
        read=expectation.read,
        op=expectation.op,
        expected=list(expected) if isinstance(expected, tuple) else expected,
        remediation=control.remediation or remediation,
        references={name: list(ids) for name, ids in control.references.items()},
        source=control.source,
        note=expectation.note,
    )


def checks(catalogue: Catalogue, product: Product, tree: Tree | None = None) -> tuple[Check, ...]:
    """Every check of every control, in the order of the catalogue. Raises `UsageError`.

    `tree` holds what is rendered from them and may hold more, such as the tools; without it, it is rendered.
    """
    placed = place(catalogue, product)
    whole = tree or render_placed(placed, product)
    by_control: dict[str, list[Check]] = {}
    for name, layer in LAYERS.items():
        for one in placed.get(name, []):
            expectations = list(layer.expectations(one, product, whole)) if one.control.set else []
            expectations += one.control.checks
            by_control[one.id] = [_check(one.control, each, layer.remediation) for each in expectations]
    return tuple(check for control in catalogue.controls for check in by_control[control.id])
