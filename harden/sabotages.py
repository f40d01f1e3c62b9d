"""From controls and a product to the sabotage of each: named by the control itself, or derived by its layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from harden.catalogue import Catalogue
from harden.layers import LAYERS
from harden.layers.base import Placed
from harden.product import Product
from harden.render import place, render_placed
from harden.sabotage import ACTIONS, Sabotage
from harden.tree import Tree
from results.base.errors import UsageError


def _of(one: Placed[Any], siblings: list[Placed[Any]], product: Product, tree: Tree) -> Sabotage:
    """How one control is broken. Raises `UsageError` without its place."""
    if one.control.sabotage:
        return Sabotage(one.id, one.control.sabotage)
    layer = LAYERS[one.control.layer]
    actions = tuple(layer.sabotages(one, siblings, product, tree)) if one.control.set else ()
    if not actions:
        raise UsageError("no sabotage follows from it")
    return Sabotage(one.id, ACTIONS.validate_python(actions))


def _all(catalogue: Catalogue, product: Product, tree: Tree | None, problems: list[str]) -> Iterator[Sabotage]:
    placed = place(catalogue, product)
    whole = tree or render_placed(placed, product)
    for name in LAYERS:
        siblings = [one for one in placed.get(name, []) if one.control.set]
        for one in placed.get(name, []):
            try:
                yield _of(one, siblings, product, whole)
            except UsageError as error:
                problems.append(f"{one.control.source}: {one.id}: {error.what}")
            except ValidationError as error:
                problems += [f"{one.control.source}: {one.id}: sabotage: {each['msg']}" for each in error.errors()]


def sabotages(catalogue: Catalogue, product: Product, tree: Tree | None = None) -> tuple[Sabotage, ...]:
    """The sabotage of every control, in the order of the catalogue.

    `tree` may hold more than what is rendered from them, such as the tools; without it, it is rendered. Raises
    `UsageError` that lists every control without one: a check that cannot be shown to turn red is no check.
    """
    problems: list[str] = []
    found = {one.control: one for one in _all(catalogue, product, tree, problems)}
    if problems:
        raise UsageError("\n".join(problems), "name one: `sabotage:` in the control (harden/sabotage.py has the kinds)")
    return tuple(found[control.id] for control in catalogue.controls)
