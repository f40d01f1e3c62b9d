"""Waterfall of one measure (each layer's share, what is left, the total that they add up to), and series as lines."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from markupsafe import Markup

from results.cost.records import Attribution, Series, SoakUnit
from results.report.plots import AFTER, BEFORE, BUDGET, LINE, MUTED, SETTINGS, TEXT, WIDTH, bare, embedded
from results.text import percent

ROW = 17
"""Pixels of one bar."""


def draw(one: Attribution, place: int) -> Markup:
    """Bars in per cent of log ratio, each where the last one ended; worse to the right."""
    import matplotlib as mpl  # noqa: PLC0415 - a second and 60 MB that most commands never need
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    bars = [(share.layer, share.change) for share in one.shares] + [("the rest", one.rest)]
    height = ROW * (len(bars) + 1) + 44
    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        FigureCanvasSVG(figure)
        axes = figure.subplots(gridspec_kw={"left": 0.34, "right": 0.94, "top": 0.98, "bottom": 38 / height})
        at = 0.0
        for row, (name, size) in enumerate(bars):
            axes.barh(row, size * 100, left=at * 100, height=0.62, color=MUTED if name == "the rest" else AFTER)
            at += size
        axes.barh(len(bars), one.total * 100, height=0.62, color=BEFORE)
        axes.axvline(0, color=LINE, linewidth=1)
        axes.set_yticks(range(len(bars) + 1), [name for name, _ in bars] + ["hardened"])
        axes.invert_yaxis()
        axes.set_xlabel("100 × log ratio", labelpad=1)
        axes.xaxis.label.set_color(TEXT)
        bare(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    told = ", ".join(f"{name} {percent(math.expm1(size))}" for name, size in [*bars, ("total", one.total)])
    return embedded(buffer.getvalue(), told, place, height)


TALL = 96
"""Pixels of one series."""


def history(one: Series, place: int) -> Markup:
    """The hardened machine's value from run to run, in per cent of the first; the change point is a broken line."""
    first = one.values[0] or 1.0
    values = [value / first * 100 for value in one.values]
    told = f"{len(values)} runs, now {values[-1]:.1f} % of the first"
    places = [float(number) for number in range(1, len(values) + 1)]
    line = None if one.changed_at is None else one.changed_at + 0.5
    return _line(places, values, "run (value in % of the first)", told, place, line=line, marker="o", room=2.0)


def held(one: SoakUnit, at: Sequence[float], place: int) -> Markup:
    """What a service held, look by look."""
    minutes, values = [when / 60 for when in at], [value / 2**20 for value in one.memory]
    told = f"from {values[0]:.1f} to {values[-1]:.1f} MiB in {minutes[-1]:.1f} min"
    return _line(minutes, values, "minutes (MiB of its own)", told, place, room=0.25)


def _line(
    places: Sequence[float],
    values: Sequence[float],
    label: str,
    told: str,
    place: int,
    *,
    line: float | None = None,
    marker: str = "",
    room: float,
) -> Markup:
    """One series as a line. `room`: what the axis shows at least above and below the middle."""
    import matplotlib as mpl  # noqa: PLC0415 - as above
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH / 72, TALL / 72))
        FigureCanvasSVG(figure)
        axes = figure.subplots(gridspec_kw={"left": 0.145, "right": 0.97, "top": 0.95, "bottom": 0.36})
        axes.plot(places, values, color=AFTER, linewidth=1.2, marker=marker, markersize=3)
        if line is not None:
            axes.axvline(line, color=BUDGET, linewidth=1.2, linestyle=(0, (3, 2)))
        middle = (min(values) + max(values)) / 2
        around = max(room, (max(values) - min(values)) * 0.6)
        axes.set_ylim(middle - around, middle + around)
        axes.set_xlabel(label, labelpad=1)
        axes.locator_params(axis="x", integer=True, nbins=6)
        axes.locator_params(axis="y", nbins=4)
        bare(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return embedded(buffer.getvalue(), told, place, TALL)
