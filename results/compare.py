"""Before against after, baked against deployed: a pure function of what was collected and judged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path
from typing import Any

from pydantic import Field

from results.base.strict import Strict, load_yaml
from results.records import Budget, Comparison, Difference, Finding, Measure, Sample
from results.statistics import judge, median

EXPLAINED = Path(__file__).with_name("explained.yaml")

ABSENT = "(absent)"
"""Stands in a difference for a fact that one machine does not have."""


class Explanation(Strict):
    """Why some facts may differ between the baked and the deployed machine."""

    path: str = Field(min_length=1)
    """Glob over dotted paths of the facts."""
    reason: str = Field(min_length=10)
    target: str = "*"
    reboot: bool = False
    """It explains a difference that one more reboot makes, in place of one between the two machines."""


@dataclass(frozen=True)
class Side:
    """What is known of one machine. `facts` are the stable ones, dotted path to value."""

    findings: Sequence[Finding] = ()
    samples: Sequence[Sample] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rules:
    """What the differences are judged by. Budgets are keyed by measure."""

    budgets: Mapping[str, Budget] = field(default_factory=dict)
    explanations: Sequence[Explanation] = ()
    seed: int = 1


def load_explanations(path: Path = EXPLAINED) -> tuple[Explanation, ...]:
    """Read the explanations. Raises `UsageError` that names every wrong line."""
    loaded: tuple[Explanation, ...] = load_yaml(path, tuple[Explanation, ...])
    return loaded


def compare(
    target: str, before: Side, after: Side, baked: Side | None, rules: Rules, rebooted: Side | None = None
) -> Comparison:
    """Compare the machine before and after deployment, the deployed one with the baked image, and that one rebooted.

    Without `baked` there is no drift to tell, which the verdict counts as a check that did not run.
    """
    explanations = [one for one in rules.explanations if re.match(translate(one.target), target)]
    drift, notes = ((), ()) if baked is None else drifted(baked, after, [one for one in explanations if not one.reboot])
    again = None
    if baked is not None and rebooted is not None:
        again, more = drifted(baked, rebooted, [one for one in explanations if one.reboot])
        notes += more
    measures, unpaired = _measures(before.samples, after.samples, rules)
    return Comparison(
        target=target,
        controls_before=_counted(before.findings),
        controls_after=_counted(after.findings),
        changed=_changed(before.findings, after.findings),
        drift=drift,
        rebooted=again,
        measures=measures,
        bootstrap_seed=rules.seed,
        notes=(*notes, *unpaired),
    )


def drifted(
    baked: Side, deployed: Side, explanations: Sequence[Explanation]
) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """Every difference, explained or not, and a note on each explanation that explains nothing."""
    left, right = _with_outcomes(baked), _with_outcomes(deployed)
    patterns = [(re.compile(translate(one.path)), one) for one in explanations]
    used: set[str] = set()
    differences = []
    for path in sorted(left.keys() | right.keys()):
        one, other = left.get(path, ABSENT), right.get(path, ABSENT)
        if one == other and type(one) is type(other):
            continue
        found = next((entry for pattern, entry in patterns if pattern.match(path)), None)
        if found:
            used.add(found.path)
        differences.append(Difference(path=path, left=one, right=other, explanation=found.reason if found else ""))
    idle = [f"explained.yaml: nothing differs at {one.path}" for one in explanations if one.path not in used]
    return tuple(differences), tuple(idle)


def _with_outcomes(side: Side) -> dict[str, Any]:
    """The facts, and each control's outcome as one more of them."""
    return {**side.facts, **{f"controls.{one.control}": str(one.outcome) for one in side.findings}}


def _counted(findings: Sequence[Finding]) -> dict[str, int]:
    return dict(sorted(Counter(str(one.outcome) for one in findings).items()))


def _changed(before: Sequence[Finding], after: Sequence[Finding]) -> tuple[dict[str, str], ...]:
    left = {one.control: str(one.outcome) for one in before}
    right = {one.control: str(one.outcome) for one in after}
    return tuple(
        {"control": control, "before": left.get(control, ABSENT), "after": right.get(control, ABSENT)}
        for control in sorted(left.keys() | right.keys())
        if left.get(control) != right.get(control)
    )


def _measures(
    before: Sequence[Sample], after: Sequence[Sample], rules: Rules
) -> tuple[tuple[Measure, ...], tuple[str, ...]]:
    """Every measure that both sides have, judged; one that only one side has, void and noted."""
    left, right = {one.name: one for one in before}, {one.name: one for one in after}
    measures, notes = [], []
    for name in sorted(left.keys() | right.keys()):
        budget = rules.budgets.get(name)
        if name in left and name in right:
            measures.append(judge(left[name], right[name], budget, rules.seed))
            continue
        notes.append(f"{name}: measured only {'before' if name in left else 'after'}")
        measures.append(_alone(left.get(name), right.get(name), budget))
    idle = sorted(rules.budgets.keys() - left.keys() - right.keys())
    return tuple(measures), (*notes, *(f"{name}: has a budget and was not measured" for name in idle))


def _alone(left: Sample | None, right: Sample | None, budget: Budget | None) -> Measure:
    sample = left or right
    if sample is None:
        raise ValueError("a measure without any sample")
    return Measure(
        name=sample.name,
        title=sample.title,
        unit=sample.unit,
        better=sample.better,
        before=left.values if left else (),
        after=right.values if right else (),
        median_before=median(left.values if left else ()),
        median_after=median(right.values if right else ()),
        change=0.0,
        interval=None,
        budget=budget.change if budget else None,
        limit=budget.limit if budget else None,
        verdict="void",
        why=f"not measured {'after' if left else 'before'}",
    )
