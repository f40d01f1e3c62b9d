from __future__ import annotations

import math
import re
import shutil
from pathlib import Path

import pytest

from results.base.errors import UsageError
from results.cost import folder, slope
from results.cost.judge import Taken, conclude, judge
from results.cost.records import Attribution, Note, PerfBudget, PerfMeasure, PerfRecord, Series, Share, Soak
from results.records import Conditions
from results.report import render_run
from results.report.costs import answers, render_folder, section

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"


def measure(name: str, title: str, shift: float, budget: float | None) -> PerfMeasure:
    baseline = tuple((700.0 + boot, 701.0, 699.0) for boot in range(3))
    hardened = tuple(tuple(value * (1 + shift) for value in rounds) for rounds in baseline)
    taken = Taken(name, title, "Bus", "µs", "lower", baseline, hardened)
    return judge(taken, None if budget is None else PerfBudget(change=budget), "deterministic", 1)


def soaked() -> Soak:
    at = tuple(float(10 * number) for number in range(40))
    held = [(9_000_000 + 3000 * number, 12, 3) for number in range(40)]
    units = tuple(slope.judge(name, at, held, 32 * 1024, 1) for name in ("daemon", "<monitor>"))
    return Soak(side="hardened", boot_id="1", at=at, turns=80, units=units)


def record() -> PerfRecord:
    measures = (
        measure("bus.ping", "Ping <by> a parent", 0.16, 0.30),
        measure("exec.cost", "Start of a program", 0.25, 0.10),
        measure("call.stat", "stat", 0.02, None),
    )
    ended = conclude(measures)
    shares = (Share(layer="seccomp", change=0.05), Share(layer="AppArmor", change=0.08))
    return PerfRecord(
        id="20260101T000000Z-debian-trixie",
        target="debian-trixie",
        workload="reference",
        started="2026-01-01T00:00:00Z",
        verdict=ended.verdict,
        why=ended.why,
        exit_code=int(ended.code),
        conditions=Conditions(accelerator="tcg", clock="deterministic", cpus=1, benchmark_version=2, host="here"),
        measures=measures,
        attribution=(
            Attribution(
                name="bus.ping",
                title="Ping, by a parent",
                total=math.log(1.16),
                shares=shares,
                rest=math.log(1.16) - 0.13,
            ),
        ),
        soaks=(soaked(),),
        notes=(Note(text="Compared with 3 earlier runs under the same conditions."),),
        history=(Series(name="bus.ping", runs=("a", "b", "c", "d"), values=(700, 701, 700, 735), changed_at=3),),
    )


def test_three_questions_are_answered_first() -> None:
    what, where, sure = answers(record())
    assert what == "What: 2 costs with a budget, the middle one +25.0 %."
    assert where.startswith("Where: Start of a program +25.0 %; Ping <by> a parent +16.0 %.")
    assert "dearest layer is AppArmor: +8.3 % on average" in where
    assert sure.startswith("How sure: 3 boots a side; two groups of like boots differ by 0.14 %")


def test_section_escapes_and_its_plots_share_no_name() -> None:
    html = str(section(record()))
    assert "Ping &lt;by&gt; a parent" in html
    assert "<by>" not in html
    names = re.findall(r'\bid="([^"]+)"', html)
    assert len(names) == len(set(names))
    assert "AppArmor" in html
    assert 'aria-label="seccomp +5.1 %, AppArmor +8.3 %, the rest' in html


def test_what_is_gained_under_a_steady_load_is_a_table_with_plots() -> None:
    html = str(section(record()))
    assert "What is gained under a steady load" in html
    assert "8.6 → 8.7 MiB" in html
    assert "+17.6" in html
    assert "&lt;monitor&gt;" in html
    assert 'aria-label="from 8.6 to 8.7 MiB in 6.5 min"' in html


def test_a_record_in_a_run_folder_shows_in_its_report(tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(FIXTURES / "killed", run)
    render_run(run)
    assert 'id="perf"' not in (run / "report.html").read_text()
    folder.write(run, record())
    render_run(run)
    assert 'id="perf"' in (run / "report.html").read_text()
    told = "perf, which was joined to this run, fails: Start of a program"
    assert told in (run / "report.html").read_text()
    assert told in (run / "summary.md").read_text()


def test_a_folder_of_its_own_has_a_page(tmp_path: Path) -> None:
    folder.write(tmp_path, record())
    page = render_folder(tmp_path).read_text()
    assert page.startswith("<!doctype html>")
    assert "What it costs, in a clock that can be trusted" in page


def test_a_record_of_another_version_is_refused(tmp_path: Path) -> None:
    path = folder.write(tmp_path, record())
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 7', 1))
    with pytest.raises(UsageError, match="schema version 7"):
        render_folder(tmp_path)


def test_lines_of_the_terminal_name_what_failed() -> None:
    told = list(folder.lines(record()))
    assert told[0] == "Bus"
    assert "FAIL: the hardening costs more than its budget" in told[-2]
    assert "exec.cost" in told[-1]
