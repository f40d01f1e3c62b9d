"""What each measure may cost, read from one file and fitted to the product's units."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harden.product import Product
from results.base.errors import UsageError
from results.base.strict import load_yaml
from results.records import Budget
from validate.benchmarks.measures import BOOT, OPTIONAL, definitions

BUDGETS = Path(__file__).with_name("budgets.yaml")


def measure_names(product: Product) -> frozenset[str]:
    """Names of all measures that a run takes."""
    return frozenset(one.name for one in (*BOOT, *definitions(product)))


def required_measures(product: Product) -> frozenset[str]:
    """Names of those that no run may lack: all but the boot phases that not every boot loader tells of."""
    return measure_names(product) - frozenset(OPTIONAL)


def load_budgets(product: Product, path: Path = BUDGETS) -> Mapping[str, Budget]:
    """Read budgets by measure. Raises `UsageError` for wrong lines, for unknown measures and for empty budgets."""
    budgets: dict[str, Budget] = load_yaml(path, dict[str, Budget])
    known = measure_names(product)
    wrong = [f"{path.name}: no measure is called {name}" for name in sorted(budgets.keys() - known)]
    wrong += [
        f"{path.name}: {name}: neither `change` nor `limit`"
        for name, one in budgets.items()
        if one.change is None and one.limit is None
    ]
    if wrong:
        raise UsageError("\n".join(wrong), f"measures are: {', '.join(sorted(known))}")
    return budgets
