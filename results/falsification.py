"""`falsify.json`: which control was broken how, which of its checks turned red, and what else did."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from results.base.strict import Strict
from results.records import Severity

FILE = "falsify.json"

Evidence = Literal["state", "configuration", "digest"]
"""What a check looks at: what is in force now, what the next start would read, or only that a file is as rendered."""

EVIDENCE: tuple[Evidence, ...] = ("state", "configuration", "digest")


class RedCheck(Strict):
    """One check of a control that turned red by the control's own sabotage."""

    fact: str
    message: str
    evidence: Evidence


class FalsifiedControl(Strict):
    """One control, broken once or, where a group did not show it, once more alone."""

    control: str
    title: str
    layer: str
    severity: Severity
    source: str
    sabotage: str
    """What was done, in short."""
    world: Literal["running", "boot", "unlocked"]
    group: int
    proven: bool
    """Green before, red while broken, green once undone."""
    evidence: Evidence | None
    """The best that any of its red checks looks at; None: none was red."""
    checks: int
    """How many it has."""
    red: tuple[RedCheck, ...]
    message: str = ""
    """Why it is not proven, or what could not be done."""


class FalsifiedGroup(Strict):
    """Sabotage that was done together."""

    number: int
    world: Literal["running", "boot", "unlocked"]
    controls: tuple[str, ...]
    also_red: tuple[str, ...]
    """Controls outside of the group that turned red with it."""
    troubles: tuple[str, ...] = ()
    seconds: float


class Falsification(Strict):
    """`falsify.json`."""

    schema_version: Literal[1] = 1
    target: str
    checks: str
    """Digest of the checks, as `digest_of` makes it from `checks.json`."""
    image: str
    """Digest of the hardened disk."""
    mode: Literal["grouped", "one by one"]
    partial: bool = False
    """Not all controls were asked for: no evidence for a run."""
    accelerator: str
    started: str
    seconds: float
    controls: tuple[FalsifiedControl, ...]
    groups: tuple[FalsifiedGroup, ...]

    @property
    def proven(self) -> int:
        """How many controls are proven."""
        return sum(one.proven for one in self.controls)

    @property
    def unproven(self) -> tuple[FalsifiedControl, ...]:
        """Those that are not."""
        return tuple(one for one in self.controls if not one.proven)

    @property
    def by_evidence(self) -> dict[Evidence, int]:
        """Proven controls by the best that their red checks look at."""
        counted = Counter(one.evidence for one in self.controls if one.proven)
        return {kind: counted[kind] for kind in EVIDENCE}

    @property
    def also_red(self) -> dict[str, tuple[str, ...]]:
        """Control to what turned red with it: of its own in this mode, of its whole group in the other."""
        of_group = {one.number: one.also_red for one in self.groups}
        return {one.control: of_group.get(one.group, ()) for one in self.controls}


def digest_of(document: Mapping[str, Any]) -> str:
    """`sha256:…` of what `checks.json` holds: evidence counts for the checks that it was made with."""
    return f"sha256:{hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()}"
