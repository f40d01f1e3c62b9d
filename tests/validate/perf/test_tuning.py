"""Whether a group of keys earns its place: from rounds with and without it to a word."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.base.errors import UsageError
from results.cost.records import PerfBoot, Round
from validate.benchmarks.costs import costs
from validate.perf.tuning import earned, groups, left_out, load_workloads
from validate.plan import Plan

GROUP = "tuning.swappiness"
"""Measured on `bus.monitor`, among others."""


def boot(whole: list[float], less: list[float]) -> PerfBoot:
    rounds = [Round(raw={"bus.monitor": (value,)}) for value in whole]
    rounds += [Round(raw={"bus.monitor": (value,)}, without=GROUP) for value in less]
    return PerfBoot(
        label="attribution",
        side="hardened",
        boot_id="",
        seconds_to_ready=1,
        quiet=True,
        waited=1,
        rounds=tuple(rounds),
    )


@pytest.mark.parametrize(
    ("whole", "less", "verdict"),
    [
        ([100, 101, 100], [110], "gain"),
        ([100, 101, 100], [90], "harm"),
        ([100, 101, 100], [101.5], "no gain shown"),
        ([100, 106, 100], [108], "no gain shown"),  # what differs by less than twice the spread is noise
        ([100, 101, 100], [], "not measured"),
        ([], [100], "not measured"),
    ],
)
def test_a_group_is_judged_by_what_is_missed_without_it(
    plan: Plan, whole: list[float], less: list[float], verdict: str
) -> None:
    table = costs(plan.product)
    workloads = load_workloads(plan, [one.name for one in table])
    found = {one.control: one for one in earned(plan, table, workloads, {}, boot(whole, less))}
    assert found.keys() == groups(plan).keys()
    assert found[GROUP].verdict == verdict
    assert bool(found[GROUP].reason) is (verdict != "gain")


def test_a_group_that_the_baseline_has_already_changes_nothing(plan: Plan) -> None:
    table = costs(plan.product)
    workloads = load_workloads(plan, [one.name for one in table])
    same = groups(plan)[GROUP]
    assert GROUP not in [one.layer for one in left_out(plan, table, workloads, same)]
    found = {one.control: one for one in earned(plan, table, workloads, same, boot([100], []))}
    assert found[GROUP].verdict == "changes nothing here"


@pytest.mark.parametrize(
    "text",
    [
        "{}\n",
        "tuning.no-such-group: {measures: [bus.ping], reason: as long as this}\n",
        "tuning.swappiness: {measures: [no.such.measure], reason: as long as this}\n",
    ],
)
def test_a_file_that_does_not_fit_names_what_is_wrong(plan: Plan, tmp_path: Path, text: str) -> None:
    path = tmp_path / "tuning.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"tuning\.yaml: "):
        load_workloads(plan, [one.name for one in costs(plan.product)], path)
