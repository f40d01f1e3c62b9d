"""The budget file: read strictly, and only for measures that exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from harden.product import load_product
from results.base.errors import UsageError
from validate.benchmarks.budgets import load_budgets, measure_names


def test_ours_is_valid_and_reasoned() -> None:
    budgets = load_budgets(load_product())
    assert budgets.keys() <= measure_names(load_product())
    assert all(one.why for one in budgets.values())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no.such: {limit: 1}", "no measure is called no.such"),
        ("exec.cost: {why: because}", "neither"),
        ("exec.cost: {change: -1}", "change"),
        ("exec.cost: {budget: 1}", "unknown key"),
        ("- exec.cost", "dict"),
    ],
)
def test_wrong_budgets_are_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_budgets(load_product(), path)
