"""The compliance matrix: ordered, complete, and no formula for a spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest

from results.records import Finding, Outcome
from results.report.compliance import cell, matrix, render
from results.report.view import Control


def control(name: str, title: str = "T") -> Control:
    finding = Finding.model_validate(
        {
            "control": name,
            "title": title,
            "layer": "l",
            "severity": "high",
            "outcome": "pass",
            "message": "m",
            "evidence": ("=cmd()",),
            "references": {"soc2": ("CC6.1",), "cis": ("4.10", "4.2")},
        }
    )
    return Control(finding, Outcome.FAIL, Outcome.PASS, None)


def test_rows_are_in_natural_order_and_count_before_and_after() -> None:
    rows = matrix([control("a.b"), control("c.d")])
    assert [(row.framework, row.identifier) for row in rows] == [("cis", "4.2"), ("cis", "4.10"), ("soc2", "CC6.1")]
    assert (rows[0].before, rows[0].after, len(rows[0].controls)) == (0, 2, 2)


def test_csv_has_a_line_for_each_control_and_no_formula() -> None:
    lines = list(csv.reader(io.StringIO(render(matrix([control("a.b", '=HYPERLINK("x")')])))))
    assert len(lines) == 4
    assert lines[1][3] == '\'=HYPERLINK("x")'
    assert lines[1][-1] == "'=cmd()"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", " =1", "\r=1"])
def test_formula_starts_are_escaped(text: str) -> None:
    assert cell(text) == "'" + text
    assert cell("a" + text) == "a" + text
