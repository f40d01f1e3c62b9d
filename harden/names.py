"""`${dotted.path}` in a control stands for that part of the product description."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harden.product import Product
from results.base.errors import UsageError

_REFERENCE = re.compile(r"\$\{([^}]*)\}")


def names_of(product: Product) -> dict[str, Any]:
    """Everything that a control can name."""
    names = product.model_dump()
    for key, unit in product.units.items():
        names["units"][key]["glob"] = unit.glob
    names["bus"]["members"] = product.bus.members
    return names


def look_up(path: str, names: Mapping[str, Any]) -> Any:
    """The value at the dotted `path`; a number picks out of a list. Raises `UsageError` naming what is not there."""
    value: Any = names
    for part in path.split("."):
        if isinstance(value, (list, tuple)) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
            continue
        if not isinstance(value, Mapping) or part not in value:
            known = ", ".join(sorted(value)) if isinstance(value, Mapping) else "nothing below it"
            raise UsageError(f"${{{path}}}: the product has no {part!r}", f"it has: {known}")
        value = value[part]
    return value


def resolve(value: Any, names: Mapping[str, Any]) -> Any:
    """Replace every reference inside `value`, however deep.

    A string that is one reference becomes what it names, of whatever type; inside a list, a named list is
    spliced in. Raises `UsageError` for a reference to nothing.
    """
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        if whole:
            found = look_up(whole[1], names)
            return list(found) if isinstance(found, tuple) else found
        return _REFERENCE.sub(lambda match: str(look_up(match[1], names)), value)
    if isinstance(value, Mapping):
        return {resolve(key, names): resolve(item, names) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items: list[Any] = []
        for item in value:
            resolved = resolve(item, names)
            items += resolved if isinstance(item, str) and isinstance(resolved, list) else [resolved]
        return items
    return value
