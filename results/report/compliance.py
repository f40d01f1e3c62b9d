"""The compliance matrix: identifier, the controls that support it, what they came to, and the evidence. Pure.

A row is evidence for an identifier. Whether somebody meets a framework is for an auditor to say.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass

from results.records import Outcome
from results.report.view import Control

FRAMEWORKS = ("cis", "csf", "iso27001", "soc2")
HEADER = ("framework", "identifier", "control", "title", "before", "after", "baked", "waiver", "evidence for it")
STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the start of a formula."""


@dataclass(frozen=True)
class Row:
    """One identifier of one framework."""

    framework: str
    identifier: str
    controls: tuple[Control, ...]

    @property
    def before(self) -> int:
        """Controls that held as shipped."""
        return sum(one.before is Outcome.PASS for one in self.controls)

    @property
    def after(self) -> int:
        """Controls that hold on the hardened machines."""
        return sum(one.outcome is Outcome.PASS for one in self.controls)


def matrix(controls: Iterable[Control]) -> tuple[Row, ...]:
    """Every identifier that a control supports, framework by framework, in natural order."""
    found: dict[tuple[str, str], dict[str, Control]] = {}
    for one in controls:
        for framework, identifiers in one.finding.references.items():
            for identifier in identifiers:
                found.setdefault((framework, identifier), {})[one.finding.control] = one
    keys = sorted(found, key=lambda key: (_place(key[0]), key[0], _natural(key[1])))
    return tuple(Row(*key, tuple(found[key].values())) for key in keys)


def _place(framework: str) -> int:
    return FRAMEWORKS.index(framework) if framework in FRAMEWORKS else len(FRAMEWORKS)


def _natural(identifier: str) -> list[tuple[int, str]]:
    """4.2 before 4.10: numbers by value, everything else by letter."""
    parts = identifier.replace("-", ".").split(".")
    return [(int(part), "") if part.isascii() and part.isdecimal() and len(part) < 9 else (-1, part) for part in parts]


def cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(STARTS) or text.startswith(STARTS) else text


def render(rows: Iterable[Row]) -> str:
    """compliance.csv: one line for each identifier and control."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for row in rows:
        for one in row.controls:
            seen = one.finding
            states = (str(state) if state else "not judged" for state in (one.before, one.after, one.baked))
            told = (row.framework, row.identifier, seen.control, seen.title, *states, seen.waiver)
            writer.writerow([cell(text) for text in (*told, " ".join(seen.evidence))])
    return out.getvalue()
