"""What each measure of `perf` may cost, read from one file and fitted to the product's units."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harden.product import Product
from results.cost.records import PerfBudget
from validate.benchmarks.budgets import read_budgets
from validate.benchmarks.costs import costs

BUDGETS = Path(__file__).with_name("budgets.yaml")


def load_budgets(product: Product, path: Path = BUDGETS) -> Mapping[str, PerfBudget]:
    """Read budgets by measure. Raises `UsageError` for wrong lines, unknown measures and empty budgets."""
    return read_budgets(path, dict[str, PerfBudget], frozenset(one.name for one in costs(product)))
