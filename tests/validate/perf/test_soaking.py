from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harden.product import DEFAULT_PRODUCT, load_product
from results.base.errors import InfrastructureError, UsageError
from validate.perf.soaking import judged, load_allowed

PRODUCT = load_product(DEFAULT_PRODUCT)
AT = [float(10 * number) for number in range(30)]
GOOD: dict[str, Any] = {"at": AT, "turns": 9, "held": {unit: [[9 << 20, 12, 3]] * 30 for unit in PRODUCT.units}}


def test_every_unit_of_the_product_has_its_allowance() -> None:
    assert load_allowed(PRODUCT).keys() == PRODUCT.units.keys()


@pytest.mark.parametrize(
    "text",
    [
        "daemon: {kib: 1, why: as long as this}\n",
        "daemon: {kib: 0, why: as long as this}\n",
        "daemon: {kib: 1}\n",
        "- daemon\n",
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "soak.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"soak\.yaml"):
        load_allowed(PRODUCT, path)


def test_looks_become_a_record() -> None:
    made = judged(GOOD, "hardened", "boot", load_allowed(PRODUCT), 1)
    assert [unit.verdict for unit in made.units] == ["within budget"] * len(PRODUCT.units)
    assert (made.turns, made.at[-1]) == (9, 290.0)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {**GOOD, "turns": -1},
        {**GOOD, "at": [*AT[:-1], float("inf")]},
        {**GOOD, "at": AT[::-1]},
        {**GOOD, "at": AT[:-1]},
        {**GOOD, "held": {**GOOD["held"], "other": GOOD["held"]["daemon"]}},
        {**GOOD, "held": {unit: [[9 << 20, 12]] * 30 for unit in PRODUCT.units}},
        {**GOOD, "held": {unit: [[9 << 20, 12, -3]] * 30 for unit in PRODUCT.units}},
        {**GOOD, "extra": 1},
    ],
)
def test_a_machine_that_lies_is_told(answer: object) -> None:
    with pytest.raises(InfrastructureError, match="the machine's looks are not"):
        judged(answer, "hardened", "boot", load_allowed(PRODUCT), 1)
