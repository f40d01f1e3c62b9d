"""The shape of a control, and of the files that controls stand in."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from harden.sabotage import AnyAction
from results.base.strict import Strict
from results.records import Severity

Framework = Literal["cis", "csf", "iso27001", "soc2"]
FRAMEWORKS: tuple[Framework, ...] = ("cis", "csf", "iso27001", "soc2")

References = dict[Framework, tuple[str, ...]]
"""Identifiers only: the frameworks' texts are licensed."""

Read = Literal["raw", "words", "int", "lines", "octal"]
Operation = Literal[
    "equals",
    "one_of",
    "at_most",
    "at_least",
    "contains",
    "excludes",
    "subset",
    "same_set",
    "mode_within",
    "matches",
    "absent",
    "exists",
]


class Expectation(Strict):
    """What one fact has to be."""

    fact: tuple[str, ...] = Field(min_length=1)
    op: Operation
    expected: Any = None
    read: Read = "raw"
    note: str = ""


class Defaults(Strict):
    """What holds for every control of a file that does not say otherwise."""

    layer: str = ""
    severity: Severity = "medium"
    set: dict[str, Any] = Field(default_factory=dict)
    """Merged under each control's own `set`."""
    remediation: str = ""
    references: References = Field(default_factory=dict)


class Entry(Strict):
    """One control as it is written."""

    id: str = Field(pattern=r"^[a-z0-9]+(?:[.-][a-z0-9]+)+$")
    title: str = Field(min_length=8)
    layer: str = ""
    severity: Severity | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    checks: tuple[Expectation, ...] = ()
    """For what does not follow from `set`; judged besides what does."""
    sabotage: tuple[AnyAction, ...] = ()
    """How it is broken to see its check fail, where that does not follow from `set`."""
    probe: str = ""
    """Id of the attack that the control stops."""
    remediation: str = ""
    references: References = Field(default_factory=dict)

    @model_validator(mode="after")
    def _does_something(self) -> Entry:
        if not self.set and not self.checks:
            raise ValueError("a control needs `set`, `checks` or both")
        return self


class ControlFile(Strict):
    """One file under `harden/controls/`."""

    defaults: Defaults = Field(default_factory=Defaults)
    controls: tuple[Entry, ...]


class Control(Strict):
    """One control, complete: the file's defaults are merged in, and it knows where it stands."""

    id: str
    title: str
    layer: str
    severity: Severity
    set: dict[str, Any]
    checks: tuple[Expectation, ...]
    sabotage: tuple[AnyAction, ...]
    probe: str
    remediation: str
    references: References
    source: str


def complete(entry: Entry, defaults: Defaults, source: str) -> Control:
    """Merge one entry with its file's defaults."""
    return Control(
        id=entry.id,
        title=entry.title,
        layer=entry.layer or defaults.layer,
        severity=entry.severity or defaults.severity,
        set={**defaults.set, **entry.set} if entry.set else {},  # none of its own: it only looks
        checks=entry.checks,
        sabotage=entry.sabotage,
        probe=entry.probe,
        remediation=entry.remediation or defaults.remediation,
        references={**defaults.references, **entry.references},
        source=source,
    )
