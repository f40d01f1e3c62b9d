"""Every rendered file of stored runs, byte for byte (REFRESH_GOLDEN=1 accepts what is rendered now)."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from results.report import render_run

HERE = Path(__file__).resolve().parent.parent
RUNS = sorted(path.name for path in (HERE / "fixtures").iterdir())
ARTEFACTS = ("report.html", "summary.md", "junit.xml", "results.sarif")
REFRESH = os.environ.get("REFRESH_GOLDEN") == "1"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name in RUNS:
        shutil.copytree(HERE / "fixtures" / name, folder / name)
        assert render_run(folder / name) == folder / name / "report.html"
    return folder


def without_plots(text: str) -> str:
    """The drawing inside a plot is matplotlib's, and differs from one version of it to the next."""
    return re.sub(r'(<svg class="plot"[^>]*>).*?</svg>', r"\1</svg>", text, flags=re.DOTALL)


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_rendered_file_is_the_golden_one(rendered: Path, run: str, artefact: str) -> None:
    found = without_plots((rendered / run / artefact).read_text())
    golden = HERE / "golden" / run / artefact
    if REFRESH:
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(found)
    assert found == golden.read_text(), "REFRESH_GOLDEN=1 accepts the change"


@pytest.mark.parametrize("run", RUNS)
def test_rendering_again_changes_nothing(rendered: Path, run: str) -> None:
    first = {name: (rendered / run / name).read_bytes() for name in ARTEFACTS}
    render_run(rendered / run)
    again = {name: (rendered / run / name).read_bytes() for name in ARTEFACTS}
    # the list of files has grown by the rendered ones, so the page itself is compared from its second rendering on
    render_run(rendered / run)
    assert (rendered / run / "report.html").read_bytes() == again["report.html"]
    assert {**first, "report.html": b""} == {**again, "report.html": b""}
