"""What each measure of `perf` may cost, read from one file and fitted to the product's units."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harden.product import Product
from results.base.errors import UsageError
from results.base.strict import load_yaml
from results.cost.records import PerfBudget
from validate.benchmarks.costs import costs

BUDGETS = Path(__file__).with_name("budgets.yaml")


def load_budgets(product: Product, path: Path = BUDGETS) -> Mapping[str, PerfBudget]:
    """Read budgets by measure. Raises `UsageError` for wrong lines, unknown measures and empty budgets."""
    budgets: dict[str, PerfBudget] = load_yaml(path, dict[str, PerfBudget])
    known = {one.name for one in costs(product)}
    wrong = [f"{path.name}: no measure is called {name}" for name in sorted(budgets.keys() - known)]
    wrong += [
        f"{path.name}: {name}: neither `change` nor `limit`"
        for name, one in budgets.items()
        if one.change is None and one.limit is None
    ]
    if wrong:
        raise UsageError("\n".join(wrong), f"measures are: {', '.join(sorted(known))}")
    return budgets
