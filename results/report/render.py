"""Renders a run's folder: report.html, summary.md, compliance.csv and CI's files, from nothing but what lies in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from markupsafe import Markup

from results.report import compliance, costs, joined, junit, markdown, page, sarif
from results.report.view import view
from results.store import load_run, write_whole


def render_run(folder: Path) -> Path:
    """Render a run, complete or not, and return the path of its report.html.

    Raises `UsageError` where a record cannot be read, `InfrastructureError` where a file cannot be written.
    """
    run = load_run(folder)
    perf = costs.record_of(run)
    seen = view(run)
    seen = replace(seen, notes=(*joined.notes(run.judges, perf), *seen.notes))
    write_whole(run.folder / "summary.md", markdown.render(seen))
    write_whole(run.folder / "junit.xml", junit.render(seen))
    write_whole(run.folder / "results.sarif", sarif.render(seen))
    write_whole(run.folder / "compliance.csv", compliance.render(compliance.matrix(seen.controls)))
    # the folder keeps the name that the caller used, such as `latest`
    write_whole(run.folder / "report.html", page.render(seen, costs.section(perf) if perf else Markup()))
    return folder / "report.html"
