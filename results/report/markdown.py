"""summary.md: the run in short, for a code host's job page. Machine's words cannot become markup in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from results import text
from results.judges import Judges
from results.report.page import HEADLINES, OUTCOMES, number
from results.report.view import View

LIMIT = 900_000
"""Bytes; GitHub drops a step summary of more than 1024 kB as a whole."""

ROWS = 60
"""Rows of any one table."""

WORDS = {"pass": "PASS", "fail": "FAIL", "none": "NO VERDICT", "killed": "CUT OFF"}


def render(seen: View) -> str:
    """Render the summary, in CommonMark with tables."""
    lines = "\n".join(_lines(seen)) + "\n"
    raw = lines.encode()
    if len(raw) <= LIMIT:
        return lines
    return raw[:LIMIT].decode(errors="ignore").rpartition("\n")[0] + "\n\n… cut here; report.html has all of it.\n"


def escape(words: object, limit: int = 300) -> str:
    """One line of text in which nothing is markup: no link, no HTML, no mention, no cell border."""
    line = text.one_line(str(words), limit)
    line = re.sub(r"([\\`*_{}\[\]#!|~])", r"\\\1", line)
    # what would start a list or a heading, and what code hosts turn into links of their own
    line = re.sub(r"^[-+=]|(?<=[a-z]):(?=//)|(?<=www)\.", r"\\\g<0>", line, flags=re.IGNORECASE)
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")


def code(words: object, limit: int = 200) -> str:
    """Text as a code span that it cannot get out of."""
    line = text.one_line(str(words), limit) or " "
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}".replace("|", "\\|") if longest else f"`{line}`".replace("|", "\\|")


def _lines(seen: View) -> Iterator[str]:
    record = seen.record
    yield f"# {WORDS[record.verdict]}: {HEADLINES[record.verdict]}"
    yield ""
    what = f"{escape(record.target)}, workload {escape(record.workload)}"
    yield f"{what}, {escape(record.started)}, run {code(record.id)}"
    if not record.complete:
        yield ""
        yield f"**Incomplete:** the run ended early. {escape(record.error)}".rstrip()
    yield ""
    yield from _table(
        ("", "hardened", ""), ((escape(one.label), escape(one.value), escape(one.detail)) for one in seen.figures)
    )
    yield from _list("Why", [*seen.reasons])
    yield from _list("Notes", [*seen.notes])
    yield from _broken(seen)
    yield from _probes(seen)
    yield from _measures(seen)
    yield from _judges(seen.run.judges)
    if record.host:
        host = f"Host: {escape(record.host.cpu)}, {record.host.cpus} cores"
        yield f"{host}, accelerator {escape(record.host.accelerator)}: {escape(record.host.accelerator_reason)}."
        yield ""
    for name, image in sorted(record.images.items()):
        yield f"- image {escape(name)}: {code(image.sha256)}"


def _list(title: str, words: Sequence[str]) -> Iterator[str]:
    if words:
        yield f"## {title}"
        yield ""
        yield from (f"- {escape(one)}" for one in words[:ROWS])
        if len(words) > ROWS:
            yield f"- … and {len(words) - ROWS} more"
        yield ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    kept = list(rows)
    if not kept:
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in kept[:ROWS])
    if len(kept) > ROWS:
        yield f"| … and {len(kept) - ROWS} more |{' |' * (len(head) - 1)}"
    yield ""


def _broken(seen: View) -> Iterator[str]:
    if seen.broken:
        yield "## Controls that do not hold"
        yield ""
        yield from _table(
            ("control", "severity", "outcome", "what is wrong", "what to do"),
            (
                (
                    code(one.finding.control),
                    one.finding.severity,
                    OUTCOMES[one.outcome][0] if one.outcome else "",
                    escape(one.finding.message),
                    escape(one.finding.remediation),
                )
                for one in seen.broken
            ),
        )


def _probes(seen: View) -> Iterator[str]:
    if seen.failed_probes:
        yield "## Attacks and uses that need a look"
        yield ""
        yield from _table(
            ("probe", "kind", "by", "what happened"),
            (
                (code(one.probe.id), one.probe.kind, escape(one.probe.identity), escape(one.story))
                for one in seen.failed_probes
            ),
        )


def _measures(seen: View) -> Iterator[str]:
    if seen.measures:
        yield "## What it costs"
        yield ""
        yield from _table(
            ("measure", "before", "after", "change", "95 % interval", "verdict"),
            (
                (
                    escape(one.title),
                    escape(number(one.median_before, one.unit)) if one.before else "–",
                    escape(number(one.median_after, one.unit)) if one.after else "–",
                    text.percent(one.change),
                    f"{text.percent(one.interval[0])} … {text.percent(one.interval[1])}" if one.interval else "–",
                    one.verdict,
                )
                for one in seen.measures
            ),
        )


def _judges(made: Judges | None) -> Iterator[str]:
    if made is None:
        return
    yield "## What others say"
    yield ""
    index = ("Lynis' hardening index", str(made.before.index), str(made.after.index), made.wanted_index)
    wanted = "–" if index[3] is None else f"at least {index[3]}"
    rows = [(*index[:3], wanted)]
    rows += [
        (f"exposure of {escape(one.unit)}", text.score(one.before), text.score(one.after), f"at most {one.wanted}")
        for one in made.exposures
    ]
    if made.kernel.values:
        total = len(made.kernel.values)
        rows.append((f"kernel expectations, of {total}", str(made.kernel.before), str(made.kernel.after), "–"))
    yield from _table(("", "before", "after", "wanted"), rows)
    yield from _list("Against it, say the judges", made.why)
