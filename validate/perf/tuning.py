"""Does each group of keys of production-tuning.conf earn its place? Measured on the workload that it is for."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from results.base.errors import UsageError
from results.base.strict import Strict, load_yaml
from results.cost.records import PerfBoot, TuningGroup
from validate.benchmarks.costs import Cost
from validate.perf.layers import Live
from validate.plan import Plan

WORKLOADS = Path(__file__).with_name("tuning.yaml")
LAYER = "tuning"

LEAST = 0.01
"""Relative change below which nothing is called a gain or a harm, whatever the rounds' own spread."""

SPREADS = 2.0
"""By how many times the spread of the other rounds the one round without a group has to differ."""


class Workload(Strict):
    """What a group of keys is measured on, and why it stays without a gain."""

    measures: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=10)


def groups(plan: Plan) -> dict[str, dict[str, str]]:
    """Keys and values of each control of the tuning layer, as it sets them."""
    return {
        control.id: {str(key): str(value) for key, value in control.set.items()}
        for control in plan.catalogue.controls
        if control.layer == LAYER and control.set
    }


def load_workloads(plan: Plan, names: Sequence[str], path: Path = WORKLOADS) -> Mapping[str, Workload]:
    """Read them. Raises `UsageError` where a group has none, or one is of no group or no measure."""
    found: dict[str, Workload] = load_yaml(path, dict[str, Workload])
    known = groups(plan)
    wrong = [f"{path.name}: {name} has no entry" for name in sorted(known.keys() - found.keys())]
    wrong += [f"{path.name}: there is no control {name}" for name in sorted(found.keys() - known.keys())]
    wrong += [
        f"{path.name}: {name}: no measure is called {one}"
        for name, workload in found.items()
        for one in workload.measures
        if one not in names
    ]
    if wrong:
        raise UsageError("\n".join(wrong), "one entry for each control of layer tuning")
    return found


def left_out(
    plan: Plan, costs: Sequence[Cost], workloads: Mapping[str, Workload], untuned: Mapping[str, str]
) -> list[Live]:
    """Each group as something that is left out of a running machine, with the parts that measure it."""
    parts = {one.name: one.part for one in costs}
    made = []
    for name, keys in groups(plan).items():
        former = {key: untuned[key] for key in keys if key in untuned and untuned[key] != keys[key]}
        if former:
            needed = tuple(dict.fromkeys(parts[one] for one in workloads[name].measures))
            made.append(Live(name, sysctl=former, parts=needed, restart=False))
    return made


def earned(
    plan: Plan,
    costs: Sequence[Cost],
    workloads: Mapping[str, Workload],
    untuned: Mapping[str, str],
    boot: PerfBoot,
) -> Iterator[TuningGroup]:
    """What each group was seen to do, with the measure on which it does most."""
    by_name = {one.name: one for one in costs}
    for name, keys in groups(plan).items():
        same = all(untuned.get(key) == value for key, value in keys.items())
        told = [gain for one in workloads[name].measures if (gain := _gain(by_name[one], name, boot)) is not None]
        change, measure, noise = max(told, key=lambda one: abs(one[0]), default=(0.0, workloads[name].measures[0], 0.0))
        verdict: Literal["gain", "harm", "no gain shown", "changes nothing here", "not measured"]
        if same:
            verdict = "changes nothing here"
        elif not told:
            verdict = "not measured"
        elif abs(change) <= max(LEAST, SPREADS * noise):
            verdict = "no gain shown"
        else:
            verdict = "gain" if change < 0 else "harm"
        yield TuningGroup(
            control=name,
            keys=keys,
            measure=measure,
            change=round(change, 6),
            noise=round(noise, 6),
            verdict=verdict,
            reason="" if verdict == "gain" else workloads[name].reason,
        )


def _gain(cost: Cost, group: str, boot: PerfBoot) -> tuple[float, str, float] | None:
    """Change that the group makes to its workload (below zero: faster with it), and the spread of the other rounds."""
    whole = [value for one in boot.rounds if not one.without and (value := cost.value(one.raw)) is not None]
    less = [value for one in boot.rounds if one.without == group and (value := cost.value(one.raw)) is not None]
    if not whole or not less or min(*whole, *less) <= 0:
        return None
    middle = statistics.median(whole)
    change = middle / statistics.median(less) - 1
    return (change if cost.better == "lower" else -change), cost.name, (max(whole) - min(whole)) / middle
