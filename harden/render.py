"""From controls and a product to the files and kernel parameters that a machine gets. Pure: same in, same out."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pydantic import ValidationError

from harden.catalogue import Catalogue
from harden.control import Control
from harden.layers import LAYERS
from harden.layers.base import Placed
from harden.names import names_of, resolve
from harden.product import Product
from harden.tree import Tree, TreeFile, digest_of
from results.base.errors import UsageError

__all__ = ["Tree", "TreeFile", "place", "render"]


def _place(control: Control, names: dict[str, Any]) -> Placed[Any]:
    layer = LAYERS[control.layer]
    resolved = control.model_copy(
        update={
            "checks": tuple(type(one).model_validate(resolve(one.model_dump(), names)) for one in control.checks),
            "sabotage": tuple(type(one).model_validate(resolve(one.model_dump(), names)) for one in control.sabotage),
            "remediation": resolve(control.remediation, names),
        }
    )
    value = layer.shape.model_validate(resolve(control.set, names)) if control.set else layer.shape.model_construct()
    return Placed(resolved, value)


def place(catalogue: Catalogue, product: Product) -> dict[str, list[Placed[Any]]]:
    """Layer to its controls, resolved against the product. Raises `UsageError` that lists what does not fit."""
    names = names_of(product)
    problems: list[str] = []
    placed: dict[str, list[Placed[Any]]] = defaultdict(list)
    for control in catalogue.controls:
        try:
            placed[control.layer].append(_place(control, names))
        except UsageError as error:
            problems.append(f"{control.source}: {control.id}: {error.what}")
        except ValidationError as error:
            problems += [f"{control.source}: {control.id}: {one['msg']}" for one in error.errors()]
    if problems:
        raise UsageError("\n".join(problems), "the product description and the controls do not fit together")
    return placed


def render(catalogue: Catalogue, product: Product) -> Tree:
    """Render the whole tree. Raises `UsageError` when two layers claim one path."""
    return render_placed(place(catalogue, product), product)


def render_placed(placed: dict[str, list[Placed[Any]]], product: Product) -> Tree:
    """Like `render`, for controls that are resolved already."""
    files: dict[str, TreeFile] = {}
    parameters: list[str] = []
    for name, layer in LAYERS.items():
        setting = [one for one in placed.get(name, []) if one.control.set]
        for file in layer.files(setting, product):
            if file.path in files:
                raise UsageError(f"{file.path}: rendered by two layers, the second is {name}")
            files[file.path] = file
        parameters += layer.kernel_parameters(setting)
    ordered = tuple(files[path] for path in sorted(files))
    unique = tuple(dict.fromkeys(parameters))
    return Tree(ordered, unique, digest_of(ordered, unique))
