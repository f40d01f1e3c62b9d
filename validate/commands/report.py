"""`report`: renders a run again from its folder alone."""

from __future__ import annotations

from pathlib import Path

from results.base.errors import ExitCode
from results.base.events import Events
from results.report import render_run
from results.store import load_run
from results.terminal import Terminal
from validate.options import Options


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Render, and repeat the verdict. The exit code says whether rendering worked, not what the run came to."""
    folder = Path(options.run) if options.run else options.results / "latest"
    with events.step("report"):
        render_run(folder)
    terminal.verdict(load_run(folder).record, folder)
    return int(ExitCode.PASS)
