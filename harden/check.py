"""A check as plain data: which fact is looked at and what is expected of it.

Standard library only, and nothing here touches a file or a clock: the same checks are judged on the host and
inside the machine.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

READS = ("raw", "words", "int", "lines", "octal")
"""How the observed value is read: as it is, split at blanks, as a number, split at line ends, as an octal mode."""

OPERATIONS = (
    "equals",  # observed == expected
    "one_of",  # observed is one of expected
    "at_most",  # observed <= expected
    "at_least",  # observed >= expected
    "contains",  # observed is a superset of expected
    "excludes",  # observed and expected have nothing in common
    "subset",  # observed is a subset of expected
    "same_set",  # the same members, whatever the order
    "mode_within",  # no permission bit outside expected
    "matches",  # the regular expression fits the whole value
    "absent",  # the fact is not there
    "exists",  # the fact is there
    "inapplicable",  # this machine has nothing to look at; the check's note says why
)


@dataclass(frozen=True)
class Check:
    """One expectation of one control. Several checks of one control make one finding: the worst."""

    control: str
    title: str
    layer: str
    severity: str
    fact: tuple[str, ...]
    """Path into facts.json; a segment may be a glob, and then every match has to hold."""
    read: str
    op: str
    expected: Any
    remediation: str
    references: dict[str, list[str]] = field(default_factory=dict)
    source: str = ""
    """`harden/controls/x.yaml:12`."""
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON-able values."""
        return {**asdict(self), "fact": list(self.fact)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Check:
        """The reverse of `to_json`. Raises `TypeError` for unknown or missing keys."""
        return cls(**{**data, "fact": tuple(data["fact"])})
