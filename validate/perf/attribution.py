"""Each layer's share of a cost, from rounds with and without it. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence

from results.cost.records import Attribution, PerfBoot, PerfMeasure, Round, Share
from validate.benchmarks.costs import Cost


def attribute(
    costs: Sequence[Cost], measures: Mapping[str, PerfMeasure], hardened: Sequence[PerfBoot], boots: Sequence[PerfBoot]
) -> Iterator[Attribution]:
    """Every measure whose change is known, and that was taken without each layer, too.

    A layer's share is log(whole / without it). For one that was left out of a running machine, the whole is that very
    boot's; for one with a boot of its own, it is the median of the hardened boots.
    """
    for cost in costs:
        measure = measures.get(cost.name)
        if measure is None or measure.change is None:
            continue
        shares = tuple(_shares(cost, hardened, boots))
        if shares:
            total = math.log1p(measure.change)
            rest = total - math.fsum(one.change for one in shares)
            yield Attribution(name=cost.name, title=cost.title, total=total, shares=shares, rest=rest)


def _shares(cost: Cost, hardened: Sequence[PerfBoot], boots: Sequence[PerfBoot]) -> Iterator[Share]:
    for boot in boots:
        whole = _middle(cost, [one for one in boot.rounds if not one.without])
        if whole is None:
            whole = _middle(cost, [one for other in hardened for one in other.rounds])
        left_out = (one.without for one in boot.rounds if one.without and not one.without.startswith("tuning."))
        for layer in dict.fromkeys(left_out):
            less = _middle(cost, [one for one in boot.rounds if one.without == layer])
            if whole is not None and less is not None and min(whole, less) > 0:
                yield Share(layer=layer, change=math.log(whole / less))


def _middle(cost: Cost, rounds: Sequence[Round]) -> float | None:
    values = [value for one in rounds if (value := cost.value(one.raw)) is not None]
    return statistics.median(values) if values else None
