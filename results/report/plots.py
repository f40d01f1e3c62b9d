"""Plots of the measures as SVG that takes its colours from the page, so that it fits light, dark and print.

matplotlib is imported only here and only when a plot is drawn. Its objects are used directly, without pyplot,
so that no state is left behind and no display is looked for.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from results.records import Measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "#000001": "currentColor",
    "#000002": "var(--before)",
    "#000003": "var(--after)",
    "#000004": "var(--budget)",
    "#000005": "var(--line)",
    "#000006": "var(--muted)",
}
"""Colours that are drawn with, and what they become in the page."""

TEXT, BEFORE, AFTER, BUDGET, LINE, MUTED = COLOURS
WIDTH, HEIGHT = 340, 172
"""Pixels: fits a phone without scaling, so that the type stays readable."""

SETTINGS: Any = {
    "svg.hashsalt": "dots-family",
    "svg.fonttype": "none",
    "font.size": 10,
    "axes.linewidth": 0.8,
    "path.simplify": False,
}
SHOWN_CHANGE = 5.0
"""Changes beyond ±500 % are drawn at the edge; the text beside the plot has the figure."""


def measure(one: Measure, place: int = 0) -> Markup:
    """Both distributions of a measure, and the interval of its change against its budget.

    `place` is the plot's number in the page, where no two elements may have one name.
    """
    one = _in_mebibytes(one) if one.unit in ("B", "bytes") else one
    import matplotlib as mpl  # noqa: PLC0415 - a second and 60 MB that most commands never need
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(SETTINGS):
        figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
        FigureCanvasSVG(figure)
        upper, lower = figure.subplots(
            2,
            1,
            gridspec_kw={"left": 0.145, "right": 0.97, "top": 0.98, "bottom": 0.2, "hspace": 0.95},
            height_ratios=(5, 2),
        )
        _distributions(upper, one)
        _change(lower, one)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return embedded(buffer.getvalue(), _description(one), place)


def _in_mebibytes(one: Measure) -> Measure:
    def scaled(values: Sequence[float]) -> tuple[float, ...]:
        return tuple(value / 2**20 for value in values)

    left, right = scaled((one.median_before, one.median_after))
    limit = None if one.limit is None else one.limit / 2**20
    update = {"before": scaled(one.before), "after": scaled(one.after), "limit": limit, "unit": "MiB"}
    return one.model_copy(update={**update, "median_before": left, "median_after": right})


def _distributions(axes: Axes, one: Measure) -> None:
    for level, values, colour in ((1, one.before, BEFORE), (0, one.after, AFTER)):
        # spread by order of taking, so that a drift over the repetitions shows as a slope
        spread = [level + 0.28 * (2 * index / max(len(values) - 1, 1) - 1) for index in range(len(values))]
        axes.scatter(values, spread, s=16, color=colour, alpha=0.55, linewidths=0)
        middle = one.median_before if level else one.median_after
        axes.vlines([middle], level - 0.4, level + 0.4, color=colour, linewidth=2)
    if one.limit is not None and _near(one.limit, (*one.before, *one.after)):
        axes.axvline(one.limit, color=BUDGET, linewidth=1.2, linestyle=(0, (3, 2)))
    axes.set_ylim(-0.6, 1.6)
    axes.set_yticks([1, 0], ["before", "after"])
    axes.set_xlabel(_plain(one.unit), labelpad=1)
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.locator_params(axis="x", nbins=5)
    bare(axes)


def _near(limit: float, values: Sequence[float]) -> bool:
    """Whether a limit can be drawn without squeezing the values into one spot."""
    low, high = min(values), max(values)
    room = max(high - low, abs(high) * 0.05)
    return low - 2 * room <= limit <= high + 2 * room


def _change(axes: Axes, one: Measure) -> None:
    low, high = one.interval or (one.change, one.change)
    ends = [min(max(end, -SHOWN_CHANGE), SHOWN_CHANGE) * 100 for end in (low, high, one.change)]
    budget = None if one.budget is None else min(one.budget, SHOWN_CHANGE) * 100
    edge = max(1.0, *(abs(end) for end in ends), budget or 0) * 1.15
    sign = 1 if one.better == "lower" else -1
    if budget is not None:
        axes.axvspan(sign * budget, sign * edge, color=BUDGET, alpha=0.16, linewidth=0)
        axes.axvline(sign * budget, color=BUDGET, linewidth=1.2, linestyle=(0, (3, 2)))
    axes.axvline(0, color=LINE, linewidth=1)
    if one.interval:
        axes.hlines([0], ends[0], ends[1], color=TEXT, linewidth=2.4)
    axes.scatter([ends[2]], [0], s=26, color=TEXT, linewidths=0, zorder=3)
    axes.set_xlim(-edge, edge)
    axes.set_ylim(-1, 1)
    axes.set_yticks([0], ["change"])
    axes.set_xlabel("% (budget shaded)" if budget is not None else "%", labelpad=1)
    axes.locator_params(axis="x", nbins=7)
    bare(axes)


def bare(axes: Axes) -> None:
    """No frame, quiet colours."""
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(axis="y", length=0, labelcolor=TEXT)
    axes.tick_params(axis="x", color=LINE, labelcolor=MUTED, labelsize=9)
    axes.xaxis.label.set_color(MUTED)
    axes.patch.set_alpha(0)


def _plain(text: str) -> str:
    """Text that matplotlib takes for nothing but text."""
    return re.sub(r"[^\w %./µ×²³()-]", "", text, flags=re.ASCII)[:30]


def _description(one: Measure) -> str:
    told = f"median before {one.median_before:.4g}, after {one.median_after:.4g} {_plain(one.unit)}"
    if one.interval:
        told += f", change between {one.interval[0]:+.1%} and {one.interval[1]:+.1%}"
    return told


def embedded(svg: str, description: str, place: int, height: int = HEIGHT) -> Markup:
    """Cut an SVG file down to the element that stands in the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # names like axes_1 would stand in the page once for each plot, and nothing refers to them
    svg = re.sub(r' id="[A-Za-z0-9]+_\d+"', "", svg)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>p{place}-", svg)
    for colour, name in COLOURS.items():
        svg = svg.replace(colour, name)
    svg = svg.replace("'DejaVu Sans', ", "").replace("\n", " ")
    size = f'width="{WIDTH}" height="{height}"'
    head = (
        f'<svg class="plot" role="img" aria-label="{Markup.escape(description)}" {size} viewBox="0 0 {WIDTH} {height}">'
    )
    return Markup(re.sub(r"<svg[^>]*>", lambda _: head, svg, count=1))  # noqa: S704 - drawn here, texts escaped
