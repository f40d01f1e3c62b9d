"""What a `perf` run found, as a section of a run's report and as a page of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from results.cost.effect import middle
from results.cost.folder import FILE
from results.cost.records import Attribution, PerfMeasure, PerfRecord, Series, Side, SoakUnit
from results.records import Measure
from results.report import plots, waterfall
from results.report.page import TEMPLATES, Bar, bar, environment
from results.store import StoredRun, read_record
from results.text import percent, plural

EDGE = 0.6
"""Greatest change at the edge of a bar."""

DRAWN = 24
PLACES = 500
"""Numbers of this section's plots begin here: no two elements of a page may have one name."""


@dataclass(frozen=True)
class Row:
    """One measure in the table."""

    measure: PerfMeasure
    bar: Bar | None


@dataclass(frozen=True)
class Group:
    """Measures under one heading."""

    title: str
    rows: tuple[Row, ...]


def as_measure(one: PerfMeasure) -> Measure:
    """The same in the shape of a run's measures: one value a boot."""
    baseline, hardened = ([rounds for rounds in side if rounds] for side in (one.baseline, one.hardened))
    return Measure(
        name=one.name,
        title=one.title,
        unit=one.unit,
        better=one.better,
        before=tuple(middle(baseline)),
        after=tuple(middle(hardened)),
        median_before=one.median_baseline,
        median_after=one.median_hardened,
        change=one.change or 0.0,
        interval=one.interval,
        budget=one.budget,
        limit=one.limit,
        verdict=one.verdict,
        why=one.why,
    )


def answers(record: PerfRecord) -> list[str]:
    """What does it cost, where, and how sure is that: three sentences."""
    judged = [one for one in record.measures if one.budget is not None and one.change is not None]
    if not judged:
        return ["No cost was judged."]
    worst = sorted(judged, key=_cost, reverse=True)
    middling = sorted(map(_cost, judged))[len(judged) // 2]
    dearest = "; ".join(f"{one.title} {percent(_cost(one))}" for one in worst[:3])
    said = [
        f"What: {plural(len(judged), 'cost')} with a budget, the middle one {percent(middling)}.",
        f"Where: {dearest}.{_layers(record.attribution)}",
    ]
    controls = sorted(one.control for one in judged if one.control is not None)
    pairs = min(len(one.baseline) for one in judged)
    sure = f"How sure: {plural(pairs, 'boot')} a side"
    if controls:
        sure += (
            f"; two groups of like boots differ by {controls[len(controls) // 2] * 100:.2f} % in the middle, "
            f"{controls[-1] * 100:.2f} % at most"
        )
    return [*said, sure + "."]


def _cost(one: PerfMeasure) -> float:
    """The change, turned so that more is worse."""
    return (one.change or 0.0) if one.better == "lower" else -(one.change or 0.0)


def _layers(found: Sequence[Attribution]) -> str:
    """The layer that costs most, over all measures."""
    sums: dict[str, float] = {}
    for one in found:
        for share in one.shares:
            sums[share.layer] = sums.get(share.layer, 0.0) + share.change / len(found)
    if not sums:
        return ""
    name, size = max(sums.items(), key=lambda item: item[1])
    return f" The dearest layer is {name}: {percent(math.expm1(size))} on average."


def section(record: PerfRecord) -> Markup:
    """The section, ready to stand in a page."""
    groups: dict[str, list[Row]] = {}
    for one in record.measures:
        groups.setdefault(one.part, []).append(Row(one, bar(as_measure(one), EDGE)))
    drawn = [one for one in record.measures if all(one.baseline) and all(one.hardened) and one.budget is not None]
    html = (
        environment()
        .get_template("perf.html.j2")
        .render(
            record=record,
            answers=answers(record),
            groups=[Group(title, tuple(rows)) for title, rows in groups.items()],
            edge=EDGE,
            plots=[(one, plots.measure(as_measure(one), PLACES + at)) for at, one in enumerate(drawn[:DRAWN])],
            histories=[
                (one, waterfall.history(one, PLACES + 2 * DRAWN + at))
                for at, one in enumerate(_worth_showing(record)[:DRAWN])
            ],
            soaks=_soaks(record),
            falls=[
                (one, waterfall.draw(one, PLACES + DRAWN + at)) for at, one in enumerate(record.attribution[:DRAWN])
            ],
        )
    )
    return Markup(html)  # noqa: S704 - our template, which escapes what it is given


@dataclass(frozen=True)
class Held:
    """One service on one machine under a steady load."""

    side: Side
    unit: SoakUnit
    plot: Markup | None


def _soaks(record: PerfRecord) -> list[Held]:
    """Every service of every soaked machine, with its plot."""
    every = [(one, unit) for one in record.soaks for unit in one.units]
    return [
        Held(one.side, unit, waterfall.held(unit, one.at, PLACES + 3 * DRAWN + at) if unit.memory else None)
        for at, (one, unit) in enumerate(every)
    ]


def _worth_showing(record: PerfRecord) -> list[Series]:
    """Series of what has a budget or has changed, as soon as there are two runs."""
    judged = {one.name for one in record.measures if one.budget is not None}
    return [
        one
        for one in record.history
        if len(one.values) > 1 and one.values[0] and (one.name in judged or one.changed_at is not None)
    ]


def record_of(run: StoredRun) -> PerfRecord | None:
    """The record that was joined to a run, if any was. Raises `UsageError` where it cannot be read."""
    return read_record(run.folder / FILE, PerfRecord) if FILE in run.files else None


def page(record: PerfRecord) -> str:
    """A page of its own."""
    style = Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))  # noqa: S704 - a file of ours
    return environment().get_template("perf-page.html.j2").render(record=record, style=style, section=section(record))


def render_folder(folder: Path) -> Path:
    """Write perf.html beside a perf.json. Raises `UsageError`."""
    path = folder / "perf.html"
    path.write_text(page(read_record(folder / FILE, PerfRecord)), encoding="utf-8")
    return path
