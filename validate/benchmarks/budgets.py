"""What each measure may cost, read from one file and fitted to the product's units."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from harden.product import Product
from results.base.errors import UsageError
from results.base.strict import load_yaml
from results.records import Budget
from validate.benchmarks.measures import BOOT, OPTIONAL, definitions

B = TypeVar("B", bound=Budget)

BUDGETS = Path(__file__).with_name("budgets.yaml")


def measure_names(product: Product) -> frozenset[str]:
    """Names of all measures that a run takes."""
    return frozenset(one.name for one in (*BOOT, *definitions(product)))


def required_measures(product: Product) -> frozenset[str]:
    """Names of those that no run may lack: all but the boot phases that not every boot loader tells of."""
    return measure_names(product) - frozenset(OPTIONAL)


def load_budgets(product: Product, path: Path = BUDGETS) -> Mapping[str, Budget]:
    """Read budgets by measure. Raises `UsageError` for wrong lines, for unknown measures and for empty budgets."""
    return read_budgets(path, dict[str, Budget], measure_names(product))


def read_budgets(path: Path, shape: type[dict[str, B]], known: frozenset[str]) -> Mapping[str, B]:
    """Any file of budgets by measure, of those that are `known`. Raises `UsageError` as `load_budgets` does."""
    budgets: dict[str, B] = load_yaml(path, shape)
    wrong = [f"{path.name}: no measure is called {name}" for name in sorted(budgets.keys() - known)]
    wrong += [
        f"{path.name}: {name}: neither `change` nor `limit`"
        for name, one in budgets.items()
        if one.change is None and one.limit is None
    ]
    if wrong:
        raise UsageError("\n".join(wrong), f"measures are: {', '.join(sorted(known))}")
    return budgets
