"""report.html: one page that asks nobody for anything, and shows whatever a machine said as text."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from results import text
from results.records import ImageRecord, Measure, Outcome, Verdict
from results.report import plots
from results.report.compliance import matrix
from results.report.view import MACHINES, View
from results.store import Stage, StoredRun

TEMPLATES = Path(__file__).with_name("templates")

FOLD = 280
"""Characters of one text shown at once; what is longer is folded."""

LONGEST = 12_000
"""Characters of one text in the page at all; the run's files have the rest."""

PLOTTED = 60
"""Measures with a plot of their own."""

HEADLINES = {
    Verdict.PASS: "No reason against this release",
    Verdict.FAIL: "Do not release",
    Verdict.NONE: "No verdict",
    Verdict.KILLED: "Cut off before its end",
}

OUTCOMES = {
    Outcome.PASS: ("holds", "good"),
    Outcome.FAIL: ("fails", "bad"),
    Outcome.ERROR: ("not seen", "bad"),
    Outcome.WARN: ("warning", "unsure"),
    Outcome.NOT_APPLICABLE: ("n/a", "plain"),
}

VERDICTS = {
    "within budget": "good",
    "regressed": "bad",
    "void": "bad",
    "inconclusive": "unsure",
    "not judged": "plain",
}

NAMES = {"cis": "CIS v8", "csf": "NIST CSF 2.0", "iso27001": "ISO 27001", "soc2": "SOC 2"}


@dataclass(frozen=True)
class Bar:
    """Geometry of one interval in a table, in percent of the width; the zero line is at 50."""

    low: float
    high: float
    point: float
    budget: float | None


@dataclass(frozen=True)
class Boot:
    """One boot's slowest units, and where their bars stand in percent of the longest."""

    title: str
    units: tuple[tuple[str, float, float, float], ...]
    """Name, left edge, width, seconds."""
    span: float


@cache
def environment() -> Environment:
    """Escape everything, and make every text visible before that, wherever it comes from."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        value=text.value,
        duration=text.duration,
        number=number,
        percent=text.percent,
        size=size,
        score=text.score,
        outcome=lambda one: OUTCOMES[one][0] if one else "–",
        tone=lambda one: OUTCOMES[one][1] if one else "plain",
        verdict_tone=VERDICTS.__getitem__,
        short=lambda one: text.one_line(str(one), FOLD),
        cut=lambda one: text.cut(str(one), LONGEST),
        shell=shlex.join,
        href=lambda name: quote(os.fsencode(name), safe="/"),
        plural=text.plural,
    )
    made.globals.update(MACHINES=MACHINES, NAMES=NAMES, FOLD=FOLD, HEADLINES=HEADLINES)
    return made


def _visible(value: Any) -> Any:
    """Jinja's last step before escaping: our own markup passes, any other text is made harmless to look at."""
    if isinstance(value, Markup):
        return value
    return text.shown(value) if isinstance(value, str) else value


def render(seen: View, perf: Markup = Markup()) -> str:  # noqa: B008 - immutable
    """Render the page; `perf` is the section on what the hardening costs under a deterministic clock."""
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - a file of ours
    judged = sorted((one for one in seen.measures if one.budget is not None or one.limit is not None), key=_gravity)
    others = [one for one in seen.measures if one not in judged]
    drawn = [one for one in (*judged, *others) if one.before and one.after]
    edge = _edge(seen.measures)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            seen=seen,
            run=seen.run,
            record=seen.record,
            style=style,
            judged=[(one, bar(one, edge)) for one in judged],
            others=[(one, bar(one, edge)) for one in others],
            edge=edge,
            perf=perf,
            plots=[(one, plots.measure(one, place)) for place, one in enumerate(drawn[:PLOTTED])],
            matrix=matrix(seen.controls),
            boots=tuple(boots(seen.run)),
            booted=booted(seen.run),
            added=added_words(seen.record.images),
            unclear=sum(one.verdict == "inconclusive" for one in judged),
            total=sum(step.seconds for step in seen.record.steps),
            drift=seen.run.comparison.drift if seen.run.comparison else (),
            release=seen.run.comparison.release if seen.run.comparison else None,
            rebooted=seen.run.comparison.rebooted if seen.run.comparison else None,
        )
    )


def _gravity(one: Measure) -> tuple[int, str]:
    return {"regressed": 0, "void": 1, "inconclusive": 2}.get(one.verdict, 3), one.title


def number(value: float, unit: str = "") -> str:
    """Four digits at most, and a unit; bytes as MiB."""
    if unit in ("B", "bytes"):
        return size(value)
    digits = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{digits} {unit}".strip()


def size(value: float) -> str:
    """Bytes in the unit that fits."""
    for unit in ("B", "KiB", "MiB"):
        if abs(value) < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} GiB"


def _worse(one: Measure) -> tuple[float, float, float]:
    """Low end, high end and middle of the change, turned so that worse is positive."""
    low, high = one.interval or (one.change, one.change)
    return (low, high, one.change) if one.better == "lower" else (-high, -low, -one.change)


def _edge(measures: Sequence[Measure]) -> float:
    """Change at the edge of every bar of the table: the widest one, but at most 50 %."""
    widest = [abs(end) for one in measures if one.verdict != "void" for end in _worse(one)]
    return min(max([0.05, *widest, *(one.budget or 0 for one in measures)]) * 1.05, 0.5)


def bar(one: Measure, edge: float) -> Bar | None:
    """Bar of one measure, for the worse to the right; None where there is nothing to draw."""
    if not one.before or not one.after or one.verdict == "void":
        return None

    def place(change: float) -> float:
        return round(50 + 50 * min(max(change / edge, -1), 1), 2)

    low, high, middle = _worse(one)
    return Bar(place(low), place(high), place(middle), None if one.budget is None else place(one.budget))


def boots(run: StoredRun) -> Iterator[Boot]:
    """Timeline of each machine's boot."""
    stages = {"before": run.before, "after": run.after, "baked": run.baked}
    drawn = {name: rows for name, stage in stages.items() if (rows := _units(stage))}
    span = max((start + seconds for rows in drawn.values() for _, start, seconds in rows), default=0.0)
    for name, rows in drawn.items():
        units = tuple(
            (unit, 100 * start / span, max(100 * seconds / span, 0.4), seconds) for unit, start, seconds in rows
        )
        yield Boot(MACHINES[name], units if span else (), span)


def booted(run: StoredRun) -> dict[str, str]:
    """Boot id to what the report calls that machine."""
    names = {}
    for name, stage in (("before", run.before), ("after", run.after), ("baked", run.baked)):
        for record in (stage.findings, stage.probes, stage.samples) if stage else ():
            if record:
                names[record.key.boot_id] = MACHINES[name]
    return names


def _units(stage: Stage | None) -> list[tuple[str, float, float]]:
    """Slowest units in the order in which they started; what is no number was written by a liar, and is left out."""
    rows = []
    for unit in (stage.samples.timeline if stage and stage.samples else ())[:15]:
        start, seconds = unit.get("start"), unit.get("seconds")
        if isinstance(start, (int, float)) and isinstance(seconds, (int, float)) and min(start, seconds) >= 0:
            rows.append((str(unit.get("name", "?")), float(start), float(seconds)))
    return sorted(rows, key=lambda row: row[1])


def added_words(images: Mapping[str, ImageRecord]) -> frozenset[str]:
    """Words of the hardened kernel command line that the baseline's does not have."""
    lines = {name: set(image.kernel_command_line.split()) for name, image in images.items()}
    return (
        frozenset(lines.get("hardened", set()) - lines.get("baseline", set())) if "baseline" in lines else frozenset()
    )
