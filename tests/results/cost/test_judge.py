from __future__ import annotations

import math
import random
from typing import Literal

import pytest

from results.base.errors import ExitCode
from results.cost.judge import Clock, Taken, conclude, judge
from results.cost.records import PerfBudget, PerfMeasure, Rounds
from results.records import Verdict

NAMES = [f"measure.{number}" for number in range(8)]


def boots(source: random.Random, level: float, noise: float, count: int = 3) -> tuple[Rounds, ...]:
    made = []
    for _ in range(count):
        own = level * math.exp(source.gauss(0, noise))
        made.append(tuple(own * math.exp(source.gauss(0, noise)) for _ in range(3)))
    return tuple(made)


def taken(
    baseline: tuple[Rounds, ...],
    hardened: tuple[Rounds, ...],
    *,
    name: str = "bus.ping",
    better: Literal["lower", "higher"] = "lower",
    problem: str = "",
) -> Taken:
    return Taken(name, "Ping", "Bus", "µs", better, baseline, hardened, problem)


def measured(
    shift: float, *, seed: int, noise: float = 0.003, budget: float = 0.02, clock: Clock = "deterministic"
) -> list[PerfMeasure]:
    source = random.Random(seed)  # noqa: S311 - repeatable on purpose
    return [
        judge(
            taken(boots(source, 700, noise), boots(source, 700 * (1 + shift), noise), name=name),
            PerfBudget(change=budget),
            clock,
            1,
        )
        for name in NAMES
    ]


@pytest.mark.parametrize("shift", [0.03, 0.05, 0.10])
def test_planted_cost_beyond_its_budget_is_found(shift: float) -> None:
    found = measured(shift, seed=5, noise=0.001)
    assert sum(one.verdict == "regressed" for one in found) >= 7
    assert conclude(found).code is ExitCode.FAIL


def test_ten_runs_of_like_against_like_raise_no_alarm() -> None:
    for seed in range(10):
        found = measured(0.0, seed=seed)
        assert not [one for one in found if one.verdict == "regressed"]
        assert conclude(found).verdict in (Verdict.PASS, Verdict.NONE)


def test_where_like_boots_differ_too_much_the_measure_is_void_and_many_of_them_void_the_run() -> None:
    found = measured(0.10, seed=1, noise=0.08)
    assert sum(one.verdict == "void" for one in found) > 3
    ended = conclude(found)
    assert ended.code is ExitCode.INFRASTRUCTURE
    assert "too noisy" in ended.why[0]


@pytest.mark.parametrize(("clock", "least"), [("deterministic", 3), ("wall", 5)])
def test_too_few_boots_give_no_verdict(clock: Clock, least: int) -> None:
    few = judge(taken(((1.0,),) * (least - 1), ((2.0,),) * (least - 1)), PerfBudget(change=0.1), clock, 1)
    assert (few.verdict, few.interval) == ("inconclusive", None)
    assert f"{least - 1} of at least {least} boots" in few.why
    assert conclude([few]).code is ExitCode.INFRASTRUCTURE
    enough = judge(taken(((1.0,),) * least, ((2.0,),) * least), PerfBudget(change=0.1), clock, 1)
    assert enough.verdict == "regressed"


def test_a_benchmark_that_died_half_way_is_void_and_the_run_has_no_verdict() -> None:
    one = judge(
        taken(((1.0, 1.0), ()), ((1.0, 1.0), (1.0, 1.0)), problem="baseline-2, round 2: TimeoutError"),
        PerfBudget(change=0.1),
        "deterministic",
        1,
    )
    assert (one.verdict, one.why) == ("void", "baseline-2, round 2: TimeoutError")
    assert conclude([one]).code is ExitCode.INFRASTRUCTURE


def test_one_round_with_a_lost_event_breaks_the_limit() -> None:
    complete = ((1.0, 1.0, 1.0),) * 3
    lossy = (*complete[:2], (1.0, 0.99, 1.0))
    budget = PerfBudget(limit=1.0)
    assert judge(taken(complete, complete, better="higher"), budget, "deterministic", 1).verdict == "within budget"
    found = judge(taken(complete, lossy, better="higher"), budget, "deterministic", 1)
    assert (found.verdict, found.why) == ("regressed", "0.99 µs is below the limit of 1")


def test_higher_is_better_turns_the_change_around() -> None:
    found = judge(taken(((100.0,),) * 3, ((80.0,),) * 3, better="higher"), PerfBudget(change=0.1), "deterministic", 1)
    assert found.verdict == "regressed"


def test_all_within_budget_passes_and_measures_without_one_are_only_shown() -> None:
    fine = judge(taken(((1.0,),) * 3, ((1.0,),) * 3), PerfBudget(change=0.1), "deterministic", 1)
    shown = judge(taken(((1.0,),) * 3, ((9.0,),) * 3), None, "deterministic", 1)
    assert (fine.verdict, shown.verdict) == ("within budget", "not judged")
    assert conclude([fine, shown]).code is ExitCode.PASS
    assert conclude([shown]).code is ExitCode.INFRASTRUCTURE
