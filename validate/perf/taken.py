"""From boots with raw values to measures with a value for each round. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from results.cost.judge import Taken
from results.cost.records import PerfBoot, Rounds
from validate.benchmarks.costs import Cost


def values(cost: Cost, boot: PerfBoot) -> tuple[Rounds, str]:
    """The measure's value in each round of a boot, and why one is missing: a round without it leaves the boot without.

    A boot that lacks one is not used with the others: what broke half-way may have measured wrongly before, too.
    """
    found = []
    for number, one in enumerate(boot.rounds, 1):
        value = cost.value(one.raw)
        if value is None:
            why = one.problems.get(cost.part, "the machine gave no value")
            return (), f"{boot.label}, round {number}: {why}"
        found.append(round(value, 6))
    return tuple(found), "" if found else f"{boot.label}: no round was taken"


def taken(cost: Cost, boots: Sequence[PerfBoot]) -> Taken:
    """One measure over all boots of both sides; the first of either side are a pair, and so on."""
    sides: dict[str, list[Rounds]] = {"baseline": [], "hardened": []}
    problem = ""
    for boot in boots:
        rounds, why = values(cost, boot)
        sides[boot.side].append(rounds)
        problem = problem or why
    return Taken(
        name=cost.name,
        title=cost.title,
        part=cost.heading,
        unit=cost.unit,
        better=cost.better,
        baseline=tuple(sides["baseline"]),
        hardened=tuple(sides["hardened"]),
        problem=problem,
    )
