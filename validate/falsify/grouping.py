"""Which sabotage may be done together without one control's proof being another's doing. Pure.

Two controls never share a group when their checks look at the same fact: then nobody could say whose sabotage turned
it red. Lists are finer: checks that want different words of one list can be told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, cached_property

from harden.check import Check
from harden.sabotage import (
    Append,
    ChangeAccount,
    Chmod,
    DropIn,
    Edit,
    Garble,
    OwnName,
    Remove,
    Sabotage,
    SetSysctl,
    Stop,
    Write,
    instances,
)

BY_ELEMENT = ("contains", "excludes")
"""Operations that blame single words of a list."""
ANOTHER_PROCESS = ("User", "Group")
"""Directives with which the unit may not come up, or as something else: nothing else is done to it meanwhile."""


@dataclass(frozen=True)
class Case:
    """One control's sabotage, and the checks that have to notice it."""

    sabotage: Sabotage
    checks: tuple[Check, ...]

    @property
    def control(self) -> str:
        """The control's id."""
        return self.sabotage.control

    @cached_property
    def touches(self) -> frozenset[str]:
        """What nobody else may change meanwhile."""
        return frozenset(self._resources()[0])

    @cached_property
    def shares(self) -> frozenset[str]:
        """What others may change too, as long as nobody touches it."""
        return frozenset(self._resources()[1])

    @cached_property
    def places(self) -> frozenset[tuple[str, ...]]:
        """The first two parts of every fact that is looked at: without one in common, only globs can meet."""
        return frozenset(check.fact[:2] for check in self.checks)

    @cached_property
    def vague(self) -> bool:
        """Whether one of those stands for several."""
        return any(len(place) < 2 or set(place[1]) & set("*?[") for place in self.places)

    def _resources(self) -> tuple[set[str], set[str]]:
        touches: set[str] = set()
        shares: set[str] = set()
        shares |= {step.replace("restart ", "unit ", 1) for step in self.sabotage.then if step.startswith("restart ")}
        for action in self.sabotage.actions:
            if isinstance(action, DropIn):
                unit = f"unit {instances(action.unit)}"
                whole = any(name in ANOTHER_PROCESS for name in action.directives)
                (touches if whole else shares).add(unit)
                for name, value in action.directives.items():
                    (shares if value else touches).add(f"{unit} {name}")
            elif isinstance(action, (Stop, OwnName)):
                touches.add(f"unit {instances(action.unit)}")
            elif isinstance(action, (Write, Remove)):
                touches.add(f"file {action.path}")
            elif isinstance(action, (Append, Edit, Garble, Chmod)):
                shares.add(f"file {action.path}")
            elif isinstance(action, SetSysctl):
                touches.add(f"sysctl {action.name}")
            elif isinstance(action, ChangeAccount):
                shares.add(f"account {action.user}")
        return touches, shares - touches


@cache
def _same_segment(left: str, right: str) -> bool:
    return left == right or fnmatchcase(left, right) or fnmatchcase(right, left)


def same_fact(left: Check, right: Check) -> bool:
    """Whether one sabotage could turn both checks red: the same place, or one inside of the other."""
    pairs = zip(left.fact, right.fact, strict=False)  # the shorter one holds the other
    if not all(_same_segment(*pair) for pair in pairs):
        return False
    if left.op in BY_ELEMENT and right.op in BY_ELEMENT and isinstance(left.expected, list):
        return not isinstance(right.expected, list) or bool(set(left.expected) & set(right.expected))
    return True


def conflict(left: Case, right: Case) -> bool:
    """Whether the two cannot be told apart, or get into each other's way."""
    if left.touches & (right.touches | right.shares) or left.shares & right.touches:
        return True
    if not (left.places & right.places or left.vague or right.vague):
        return False
    return any(same_fact(one, other) for one in left.checks for other in right.checks)


def groups(cases: Iterable[Case]) -> list[list[Case]]:
    """Few groups without conflicts, in the order of the cases: each goes into the first group that has room for it."""
    made: list[list[Case]] = []
    for case in cases:
        room = next((group for group in made if not any(conflict(case, other) for other in group)), None)
        if room is None:
            made.append([case])
        else:
            room.append(case)
    return made


def cases(sabotages: Sequence[Sabotage], checks: Iterable[Check]) -> list[Case]:
    """Every sabotage with the checks of its control."""
    by_control: dict[str, list[Check]] = {}
    for check in checks:
        by_control.setdefault(check.control, []).append(check)
    return [Case(one, tuple(by_control[one.control])) for one in sabotages]
