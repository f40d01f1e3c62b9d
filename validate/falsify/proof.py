"""What facts prove: which checks of a control are red, and by what kind of evidence. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harden.check import Check
from harden.control import Control
from harden.sabotage import OwnName, Stop
from results.falsification import EVIDENCE, Evidence, FalsifiedControl, RedCheck
from results.text import one_line
from validate.audit.judge import Judged, judge, judge_check
from validate.falsify.grouping import Case

GREEN = ("pass", "not-applicable")
CONFIGURATION = (
    ("sysctl_configured",),
    ("loader",),
    ("dbus", "policies"),
    ("dbus", "product_rules"),
    ("dbus", "activation"),
)
"""Facts that say what the next start would read."""
QUOTED = 300

Facts = Mapping[str, Any]


def evidence_of(fact: tuple[str, ...]) -> Evidence:
    """What a check at this place looks at."""
    if fact[0] == "files" and fact[-1] == "sha256":
        return "digest"
    return "configuration" if any(fact[: len(place)] == place for place in CONFIGURATION) else "state"


def outcomes(checks: Iterable[Check], facts: Facts) -> dict[str, str]:
    """Control to outcome."""
    return {str(one["control"]): str(one["outcome"]) for one in judge([asdict(one) for one in checks], facts)}


def turned_red(before: Mapping[str, str], after: Mapping[str, str], own: Iterable[str]) -> tuple[str, ...]:
    """Controls besides `own` that were green and are not any more."""
    skipped = set(own)
    return tuple(one for one, was in before.items() if one not in skipped and was in GREEN and after[one] not in GREEN)


def red_checks(case: Case, facts: Facts) -> tuple[RedCheck, ...]:
    """The control's own checks that fail. One that could not look is no proof."""
    stops = any(isinstance(action, (Stop, OwnName)) for action in case.sabotage.actions)
    return tuple(
        RedCheck(fact=one.dotted, message=one_line(one.message, QUOTED), evidence=evidence_of(check.fact))
        for check in case.checks
        for one in judge_check(asdict(check), facts)
        if one.outcome == "fail" and (stops or not _process_is_gone(check, one))
    )


def _process_is_gone(check: Check, judged: Judged) -> bool:
    """Whether the check fails only since a unit has no process: that shows nothing about the sandbox it would have."""
    return check.fact[0] == "units" and check.fact[2:3] == ("process",) and judged.observed is None


@dataclass(frozen=True)
class Seen:
    """What was seen of one control: its outcome before, while it was broken, and after the undoing."""

    before: str
    red: tuple[RedCheck, ...]
    after: str
    troubles: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Green, red, green."""
        return self.before in GREEN and bool(self.red) and self.after in GREEN

    @property
    def why_not(self) -> str:
        """Why it is not proven; empty when it is."""
        if self.before not in GREEN:
            return f"was not green to begin with: {self.before}"
        if not self.red:
            return "none of its checks turned red"
        return "" if self.after in GREEN else f"was not green again when it was undone: {self.after}"


def result(case: Case, control: Control, group: int, seen: Seen) -> FalsifiedControl:
    """The record of one control."""
    kinds = {one.evidence for one in seen.red}
    return FalsifiedControl(
        control=control.id,
        title=control.title,
        layer=control.layer,
        severity=control.severity,
        source=control.source,
        sabotage=one_line(case.sabotage.words, 2 * QUOTED),
        world=case.sabotage.world,
        group=group,
        proven=seen.proven,
        evidence=next((kind for kind in EVIDENCE if kind in kinds), None),
        checks=len(case.checks),
        red=seen.red,
        message=one_line("; ".join(filter(None, [seen.why_not, *seen.troubles])), 2 * QUOTED),
    )
