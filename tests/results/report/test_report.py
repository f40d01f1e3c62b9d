"""The report as a whole: it asks nobody for anything, and nothing that a machine said is more than text."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from results.base.errors import UsageError
from results.records import Measure
from results.report import junit, markdown, page, plots, render_run, sarif
from results.report.page import bar, number, size
from results.report.view import View, view
from results.store import StoredRun, load_run
from results.text import percent

RUN = Path(__file__).resolve().parent.parent / "fixtures" / "fail"
MARK = "<script>alert('x')</script>"
hostile = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.sampled_from(
        [
            MARK,
            '"><img src=x onerror=alert(1)>',
            "javascript:alert(1)",
            "{{ 7*7 }}{% raw %}",
            "]]> --> </svg></style></title>",
            "\x1b[2J\x1b]0;x\x07\x00\u202e\u2028\ud800",
            "| `x` [a](http://example.invalid) @all #1 <!--",
            "a\n\n# b\n\n| c |",
            "$\\frac{a}{b}$",
            "x" * 5000,
        ]
    ),
)


class Page(HTMLParser):
    """Collects what could do harm, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(html: str) -> Page:
    found = Page()
    found.feed(html)
    return found


@pytest.fixture(scope="module")
def stored() -> StoredRun:
    return load_run(RUN)


def spoil(run: StoredRun, text: str) -> View:
    """The run with `text` in the place of every text that came from a file."""

    def record(one: Any) -> Any:
        # not validated: pydantic would refuse lone surrogates, and the renderers must stand them all the same
        return None if one is None else _rebuilt(one, text)

    stages = tuple(
        type(one)(one.variant, one.phase, record(one.findings), record(one.probes), record(one.samples), facts=True)
        for one in run.stages
    )
    # a file system gives undecodable bytes as low surrogates, and no other ones
    files = {os.fsdecode(text.encode("utf-8", "replace") + b"\xff")[:50]: 1}
    told = (record(run.record), stages, record(run.comparison), files, record(run.falsification), record(run.judges))
    return view(StoredRun(run.folder, *told))


ORDINARY = re.compile(
    "html|head|meta|title|style|div|body|header|main|footer|section|nav|h[1-3]|p|span|b|i|a|br|ul|li|dl|dt|dd|details|summary"
    "|table|thead|tbody|tr|th|td|code|pre|fieldset|legend|label|input|svg|line|rect|circle|figure|figcaption"
)
"""Elements of the templates; any other one in the page was made by the text that came in."""

FIXED = ("severity", "outcome", "kind", "variant", "phase", "verdict", "better", "clock", "evidence", "mode", "world")


def _rebuilt(value: Any, text: str) -> Any:
    if isinstance(value, BaseModel):
        fields = {
            name: getattr(value, name) if name in FIXED else _rebuilt(getattr(value, name), text)
            for name in type(value).model_fields
        }
        return type(value).model_construct(**fields)
    if isinstance(value, dict):
        return {
            (name if name in ("baseline", "hardened") else text): _rebuilt(one, text) for name, one in value.items()
        }
    if isinstance(value, tuple):
        return tuple(_rebuilt(one, text) for one in value)
    return text if isinstance(value, str) else value


def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PLOTTED", 0)


def harmless(found: Page) -> Iterator[str]:
    """What is wrong with a page; nothing, when it is harmless."""
    yield from {"script", "img", "iframe", "object", "embed", "form", "base", "audio", "video"} & set(found.tags)
    for name, value in found.attributes:
        if name.startswith("on") or (
            name in ("href", "src", "xlink:href") and re.match(r"\s*[a-z]+:|//", value, re.IGNORECASE)
        ):
            yield f"{name}={value}"


def test_page_is_self_contained(stored: StoredRun) -> None:
    html = page.render(view(stored))
    found = parsed(html)
    assert list(harmless(found)) == []
    assert "default-src 'none'" in html
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert {"href"} >= {name for name, value in found.attributes if "://" in value}
    assert found.tags.count("h1") == 1
    names = [value for name, value in found.attributes if name == "id"]
    assert len(names) == len(set(names))
    anchors = {value[1:] for name, value in found.attributes if name == "href" and value.startswith("#")}
    assert anchors <= set(names)


def test_control_characters_are_shown(stored: StoredRun) -> None:
    html = page.render(view(stored))
    assert "\\x1b[31mexit status 1" in html
    assert "\x1b" not in html
    assert "&lt;b&gt;Operation not permitted&lt;/b&gt;" in html


def test_long_output_is_folded_and_bounded(stored: StoredRun) -> None:
    seen = spoil(stored, "y" * 100_000)
    html = page.render(seen)
    assert "characters left out" in html
    assert len(markdown.render(seen).encode()) < 1_000_000


@settings(max_examples=25, deadline=None)
@given(hostile)
def test_page_stands_any_text(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        no_plots(patch)
        html = page.render(spoil(load_run(RUN), text))
    html.encode("utf-8")
    found = parsed(html)
    assert list(harmless(found)) == []
    assert MARK not in html
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", html)
    assert [tag for tag in found.tags if not ORDINARY.fullmatch(tag)] == []


@settings(max_examples=60, deadline=None)
@given(hostile)
def test_other_files_stand_any_text(text: str) -> None:
    seen = spoil(load_run(RUN), text)
    root = ET.fromstring(junit.render(seen))  # noqa: S314 - made by us, just now
    assert root.tag == "testsuites"
    document = json.loads(sarif.render(seen))
    assert document["version"] == "2.1.0"
    for result in document["runs"][0]["results"]:
        uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.startswith("harden/controls")
    summary = markdown.render(seen)
    summary.encode("utf-8")
    assert len(summary.encode()) < 1_000_000


@given(hostile)
def test_markdown_has_no_way_out(text: str) -> None:
    escaped = markdown.escape(text)
    assert "\n" not in escaped
    assert not re.search(r"(?<!\\)[|`\[\]*_<>]", escaped)
    assert "@" not in escaped
    span = markdown.code(text)
    fence = re.match("`+", span)
    assert fence is not None
    inner = span[len(fence[0]) : -len(fence[0])]
    assert fence[0] not in re.findall("`+", inner)
    assert not re.search(r"(?<!\\)\|", span)


def test_sarif_has_what_code_hosts_ask_for(stored: StoredRun) -> None:
    run = json.loads(sarif.render(view(stored)))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert run["automationDetails"]["id"] == "dots-family/debian-trixie/reference/"
    assert all({"id", "shortDescription", "fullDescription", "help"} <= rule.keys() for rule in rules)
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert len(result["locations"]) == 1
        assert result["partialFingerprints"]["primaryLocationLineHash"]
        assert result["level"] in ("error", "warning")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("harden/controls/x.yaml:12", ("harden/controls/x.yaml", 12)),
        ("harden/controls/x.yaml", ("harden/controls/x.yaml", 1)),
        ("harden/controls/../../etc/passwd:1", ("harden/controls", 1)),
        ("/etc/passwd:1", ("harden/controls", 1)),
        ("harden/controls/x.yaml:0", ("harden/controls", 1)),
        ("", ("harden/controls", 1)),
    ],
)
def test_sarif_location_stays_in_the_repository(source: str, expected: tuple[str, int]) -> None:
    assert sarif._location(source) == expected


def test_junit_counts(stored: StoredRun) -> None:
    root = ET.fromstring(junit.render(view(stored)))  # noqa: S314 - made by us, just now
    assert int(root.get("tests", "0")) == len(root.findall("*/testcase"))
    assert int(root.get("failures", "0")) == len(root.findall("*/testcase/failure")) > 0
    assert {suite.get("name") for suite in root} == {
        "run", "controls.deployed", "controls.baked", "probes.deployed", "probes.baked", "probes.shipped",
        "performance", "drift",
    }  # fmt: skip


def test_incomplete_run_is_rendered_and_marked(tmp_path: Path) -> None:
    shutil.copytree(RUN, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "hardened")
    (tmp_path / "run" / "comparison.json").unlink()
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    record |= {"complete": False, "verdict": "none", "exit_code": 3, "why": [], "error": "boot: not within 300 s"}
    (tmp_path / "run" / "run.json").write_text(json.dumps(record))
    html = render_run(tmp_path / "run").read_text()
    assert "Incomplete." in html
    assert "boot: not within 300 s" in html
    assert "Not compared in this run." in html
    assert "NO VERDICT" in html


def test_run_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    shutil.copytree(RUN, tmp_path / "run")
    (tmp_path / "run" / "comparison.json").write_text("{")
    with pytest.raises(UsageError, match=r"comparison\.json"):
        render_run(tmp_path / "run")
    assert not (tmp_path / "run" / "report.html").exists()


def measure(**more: Any) -> Measure:
    base: dict[str, Any] = {
        "name": "m", "title": "M", "unit": "ms", "better": "lower", "before": (1.0, 2.0), "after": (2.0, 3.0),
        "median_before": 1.5, "median_after": 2.5, "change": 0.6, "interval": (0.5, 0.7), "budget": 0.1,
        "verdict": "regressed",
    }  # fmt: skip
    return Measure.model_validate(base | more)


def test_plot_takes_its_colours_from_the_page() -> None:
    svg = plots.measure(measure(limit=3.2))
    assert svg.startswith('<svg class="plot" role="img" aria-label="median before 1.5, after 2.5 ms, change between')
    assert not re.search("#00000[1-6]", svg)
    assert "var(--after)" in svg
    assert svg == plots.measure(measure(limit=3.2))


@pytest.mark.parametrize(
    "more",
    [
        {"before": (0.0,), "after": (0.0,), "interval": None, "budget": None},
        {"before": (1e-300,), "after": (1e300,), "change": 1e300, "interval": (-1.0, 1e304)},
        {"unit": "$x_y$</svg>", "better": "higher"},
        {"unit": "bytes", "limit": 1e18},
    ],
)
def test_plot_stands_odd_numbers(more: dict[str, Any]) -> None:
    assert "</svg>" in plots.measure(measure(**more))


def test_bar_turns_worse_to_the_right() -> None:
    slower, fewer = measure(), measure(better="higher", change=-0.4, interval=(-0.5, -0.3))
    left, right = bar(slower, 1.0), bar(fewer, 1.0)
    assert left is not None
    assert right is not None
    assert left.budget is not None
    assert (left.low, left.high, left.budget) == (75, 85, 55)
    assert (right.low, right.high, right.point) == (65, 75, 70)
    assert bar(measure(verdict="void"), 1.0) is None


def test_figures_are_said_as_people_say_them() -> None:
    assert number(1234.5, "1/s") == "1,234 1/s"
    assert number(3 << 20, "bytes") == "3 MiB"
    assert percent(-0.031) == "−3.1 %"
    assert size(512) == "512 B"
