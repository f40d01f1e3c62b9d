from __future__ import annotations

import math
import random

import pytest

from results.cost import effect
from results.cost.records import Rounds


def boots(source: random.Random, level: float, *, count: int = 3, rounds: int = 3) -> tuple[Rounds, ...]:
    """Boots as they come under the deterministic clock: 0.3 % from boot to boot, 0.5 % from round to round."""
    made = []
    for _ in range(count):
        own = level * math.exp(source.gauss(0, 0.003))
        made.append(tuple(own * math.exp(source.gauss(0, 0.005)) for _ in range(rounds)))
    return tuple(made)


@pytest.mark.parametrize("pairs", [3, 5])
def test_interval_holds_the_truth_as_often_as_it_says(pairs: int) -> None:
    source = random.Random(7)  # noqa: S311 - repeatable on purpose
    held = 0
    for trial in range(40):
        found = effect.paired(
            boots(source, 100, count=pairs), boots(source, 110, count=pairs), f"seed {trial}", least=3
        )
        assert found is not None
        assert found.interval is not None
        held += found.interval[0] <= 0.10 <= found.interval[1]
    assert held >= 35  # 95 % of 40 is 38; fewer than 35 would be 1 in 100


def test_few_boots_have_an_effect_and_no_interval() -> None:
    found = effect.paired(((1.0,), (1.0,)), ((1.1,), (1.1,)), "seed", least=3)
    assert found is not None
    assert found.change == pytest.approx(0.1)
    assert found.interval is None


def test_same_seed_same_interval_and_another_seed_another() -> None:
    source = random.Random(3)  # noqa: S311 - repeatable on purpose
    left, right = boots(source, 100), boots(source, 103)
    assert effect.paired(left, right, "a", least=3) == effect.paired(left, right, "a", least=3)
    assert effect.paired(left, right, "a", least=3) != effect.paired(left, right, "b", least=3)


def test_values_at_or_below_zero_have_no_ratio() -> None:
    assert effect.paired(((0.0,),) * 3, ((1.0,),) * 3, "seed", least=3) is None
    assert effect.control(((0.0,), (1.0,))) is None


def test_control_compares_two_groups_in_the_order_abba() -> None:
    assert effect.groups(5) == ((0, 3, 4), (1, 2))
    assert effect.control(((100.0,), (102.0,), (102.0,), (100.0,))) == pytest.approx(0.02)
    assert effect.control(((100.0,),)) is None
    assert effect.control(((100.0,), ())) is None


def test_a_drift_of_the_host_falls_on_both_groups_alike() -> None:
    assert effect.control(((100.0,), (101.0,), (102.0,), (103.0,))) == pytest.approx(0.0, abs=1e-9)
