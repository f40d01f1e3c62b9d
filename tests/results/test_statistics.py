"""Effects, intervals and the three verdicts, on known cases and on anything."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results import statistics
from results.records import Budget, Conditions, Sample

HERE = Conditions(accelerator="tcg", cpus=2, host="h")
positive = st.floats(min_value=1e-300, max_value=1e300, allow_nan=False)


def sample(*values: float, better: str = "lower", conditions: Conditions = HERE, unit: str = "ms") -> Sample:
    return Sample.model_validate(
        {"name": "m", "title": "M", "unit": unit, "better": better, "values": values, "conditions": conditions}
    )


def steady(level: float, number: int = 9) -> tuple[float, ...]:
    return tuple(level * (1 + 0.001 * (index % 3)) for index in range(number))


def test_known_effect() -> None:
    found = statistics.effect([100.0] * 7, [110.0] * 7, "1")
    assert found is not None
    assert found.change == pytest.approx(0.10)
    assert found.interval == pytest.approx((0.10, 0.10))


def test_median_ratio_is_not_the_ratio_of_medians() -> None:
    found = statistics.effect([1, 2, 4], [2, 2, 4], "1")
    assert found == statistics.Effect(0.0, None)


@pytest.mark.parametrize(
    ("after", "better", "budget", "verdict"),
    [
        (steady(102), "lower", 0.05, "within budget"),
        (steady(120), "lower", 0.05, "regressed"),
        (steady(80), "lower", 0.05, "within budget"),
        (steady(80), "higher", 0.05, "regressed"),
        (steady(98), "higher", 0.05, "within budget"),
        ((90, 120, 95, 130, 100, 125, 92, 118, 99), "lower", 0.05, "inconclusive"),
    ],
)
def test_three_verdicts(after: tuple[float, ...], better: str, budget: float, verdict: str) -> None:
    before = sample(*steady(100), better=better)
    assert statistics.judge(before, sample(*after, better=better), Budget(change=budget), 7).verdict == verdict


def test_too_few_repetitions_are_inconclusive_and_say_so() -> None:
    found = statistics.judge(sample(*steady(1, 4)), sample(*steady(9, 4)), Budget(change=0.05), 7)
    assert (found.verdict, found.interval, found.why) == ("inconclusive", None, "4 of at least 5 repetitions")


def test_zero_has_no_ratio() -> None:
    found = statistics.judge(sample(0, 1, 2, 3, 4), sample(1, 2, 3, 4, 5), Budget(change=0.05), 7)
    assert found.verdict == "inconclusive"
    same = statistics.judge(sample(0, 0, 0, 0, 0), sample(0, 0, 0, 0, 0), Budget(change=0.05), 7)
    assert same.verdict == "within budget"


@pytest.mark.parametrize(
    ("value", "better", "limit", "verdict"),
    [
        (1.0, "higher", 0.999, "within budget"),
        (0.99, "higher", 0.999, "regressed"),
        (400, "lower", 512, "within budget"),
        (600, "lower", 512, "regressed"),
    ],
)
def test_limit_holds_for_a_single_value(value: float, better: str, limit: float, verdict: str) -> None:
    found = statistics.judge(sample(value, better=better), sample(value, better=better), Budget(limit=limit), 7)
    assert found.verdict == verdict


def test_limit_overrules_a_kept_budget() -> None:
    found = statistics.judge(sample(*steady(600)), sample(*steady(600)), Budget(change=0.05, limit=512), 7)
    assert found.verdict == "regressed"
    assert "above the limit" in found.why


@pytest.mark.parametrize(
    "other",
    [
        HERE.model_copy(update={"accelerator": "kvm"}),
        HERE.model_copy(update={"clock": "deterministic"}),
        HERE.model_copy(update={"benchmark_version": 2}),
        HERE.model_copy(update={"host": "elsewhere"}),
        HERE.model_copy(update={"cpus": 1}),
    ],
)
def test_never_compared_across_conditions(other: Conditions) -> None:
    found = statistics.judge(sample(*steady(1)), sample(*steady(9), conditions=other), Budget(change=0.05), 7)
    assert (found.verdict, found.interval, found.change) == ("void", None, 0.0)
    assert "different conditions" in found.why


def test_never_compared_across_units_nor_without_values() -> None:
    assert statistics.judge(sample(1), sample(1, unit="s"), None, 7).verdict == "void"
    assert statistics.judge(sample(1), sample(), Budget(limit=1), 7).why == "no value after"


def test_without_a_budget_nothing_is_judged() -> None:
    assert statistics.judge(sample(*steady(1)), sample(*steady(2)), None, 7).verdict == "not judged"


@given(st.lists(positive, min_size=1, max_size=12), st.lists(positive, min_size=1, max_size=12), st.integers())
def test_same_seed_same_answer_and_the_interval_is_ordered(left: list[float], right: list[float], seed: int) -> None:
    once = statistics.judge(sample(*left), sample(*right), Budget(change=0.05), seed)
    assert once == statistics.judge(sample(*left), sample(*right), Budget(change=0.05), seed)
    assert math.isfinite(once.change)
    if once.interval:
        low, high = once.interval
        assert -1 <= low <= high
        assert low <= once.change * (1 + 1e-9) + 1e-9
        assert high >= once.change * (1 - 1e-9) - 1e-9


@given(st.lists(st.floats(min_value=0.5, max_value=2), min_size=5, max_size=9), st.floats(min_value=0.1, max_value=10))
def test_scaling_every_value_scales_the_change(values: list[float], factor: float) -> None:
    found = statistics.effect(values, [one * factor for one in values], "1")
    assert found is not None
    assert found.change == pytest.approx(factor - 1, abs=1e-9)


@given(
    st.lists(st.floats(min_value=0, max_value=1e9), max_size=8),
    st.lists(st.floats(min_value=0, max_value=1e9), max_size=8),
)
def test_noise_is_never_read_as_a_pass_without_repetitions(left: list[float], right: list[float]) -> None:
    if min(len(left), len(right)) < statistics.MINIMUM_REPETITIONS:
        found = statistics.judge(sample(*left), sample(*right), Budget(change=0.05), 1)
        assert found.verdict in ("inconclusive", "void")
