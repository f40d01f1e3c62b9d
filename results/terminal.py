"""What a person sees while the pipeline works: the only module that prints.

Progress, warnings and errors go to standard error; answers (a verdict, a matrix, a diagnosis) to standard
output. On a terminal the running steps are shown live; elsewhere there are plain lines without any escape.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from results.base.errors import PipelineError
from results.base.events import Event
from results.records import RunRecord, Verdict
from results.text import duration, one_line, shown

HEARTBEAT = 60.0
"""Seconds after which a plain log hears that a long step is still running."""

REASONS = 15
"""Reasons shown with a verdict; the report has all."""

WORDS = {
    Verdict.PASS: ("PASS", "bold green", "the hardening holds, the product works, the cost is within budget"),
    Verdict.FAIL: ("FAIL", "bold red", "do not release: see the reasons"),
    Verdict.NONE: ("NO VERDICT", "bold yellow", "the run could not judge"),
    Verdict.KILLED: ("CUT OFF", "bold yellow", "the run did not come to its end"),
}


@dataclass(frozen=True)
class _Running:
    name: str
    since: float
    before: float | None
    """Seconds that it took last time."""
    thread: int = field(default_factory=threading.get_ident)
    """Steps of several threads go on side by side, and within each other only on one."""


class _Display:
    """The live part: one line a running step, drawn anew a few times a second."""

    def __init__(self, running: Sequence[_Running], said: Callable[[], str]) -> None:
        self._running = running
        self._said = said
        self._spinner = Spinner("dots")

    def __rich__(self) -> Group:
        table = Table.grid(padding=(0, 1))
        now = time.monotonic()
        for step in tuple(self._running)[-3:]:
            spent = now - step.since
            last = f"last time {duration(step.before)}" if step.before else ""
            share = _bar(spent, step.before) if step.before else ""
            table.add_row(self._spinner, Text(one_line(step.name, 60)), duration(spent), share, Text(last, "dim"))
        said = self._said()
        return Group(table, *([Text("  " + one_line(said, 100), "dim", no_wrap=True)] if said else []))


def _bar(spent: float, before: float) -> ProgressBar:
    return ProgressBar(
        total=before, completed=min(spent, before), width=20, complete_style="cyan", finished_style="cyan"
    )


class Terminal:
    """A subscriber of events, and the way for answers and errors to reach a person."""

    def __init__(self, err: TextIO | None = None, out: TextIO | None = None) -> None:
        """Write to these streams; standard error and standard output unless named."""
        self._err = _console(err or sys.stderr)
        self._out = _console(out or sys.stdout)
        self._running: list[_Running] = []
        self._previous: dict[str, float] = {}
        self._said = ""
        self._live: Live | None = None
        self._ended = threading.Event()
        self._pulse: threading.Thread | None = None
        self._lock = threading.RLock()

    def expect(self, durations: Mapping[str, float]) -> None:
        """Tell how many seconds each step took last time."""
        self._previous.update(durations)

    def __call__(self, event: Event) -> None:
        """Show one event, where a person wants to know of it; commands are for the transcript alone."""
        with self._lock:
            if event.kind == "step-start":
                self._start(event)
            elif event.kind in ("step-end", "step-failed"):
                self._end(event)
            elif event.kind == "machine":
                self._said = event.text
            elif event.kind == "warning":
                self._print("!", "yellow", event.text)
            elif event.kind == "note":
                self._print("·", "dim", event.text)

    def line(self, text: str = "") -> None:
        """One line of an answer, on standard output; control characters become visible."""
        self._pause()
        self._out.print(Text(shown(text)), soft_wrap=True)

    def output(self, text: str) -> None:
        """Text for programs, on standard output, untouched."""
        self._pause()
        self._out.file.write(text + "\n")
        self._out.file.flush()

    def error(self, error: PipelineError) -> None:
        """Say what went wrong, quote the evidence, and say what to do."""
        self._pause()
        self._err.print(Text("error: ", "bold red"), Text(shown(error.what)), sep="", soft_wrap=True)
        for line in error.evidence.splitlines():
            self._err.print(Text("  | " + shown(line), "dim"), soft_wrap=True)
        if error.hint:
            self._err.print(Text("hint:  ", "bold"), Text(shown(error.hint)), sep="", soft_wrap=True)

    def verdict(self, record: RunRecord, folder: Path) -> None:
        """Say what a run came to, why, and where its report is."""
        self._pause()
        word, style, meaning = WORDS[record.verdict]
        out = self._out
        out.print()
        out.print(Text(word, style), Text(f"  {shown(record.target)}: {meaning}"), sep="", soft_wrap=True)
        if record.error:
            out.print(Text(f"  {one_line(record.error)}"), soft_wrap=True)
        for reason in record.why[:REASONS]:
            out.print(Text(f"  - {one_line(reason)}"), soft_wrap=True)
        if len(record.why) > REASONS:
            out.print(Text(f"  … and {len(record.why) - REASONS} more in the report"), soft_wrap=True)
        report = folder / "report.html"
        out.print(Text(f"report: {report if report.exists() else folder}"), soft_wrap=True)

    def close(self) -> None:
        """Stop the live display; may be called more than once."""
        self._pause()
        self._ended.set()

    def _start(self, event: Event) -> None:
        self._running.append(_Running(event.text, time.monotonic(), self._previous.get(event.text)))
        self._said = ""
        if not self._err.is_terminal:
            self._start_pulse()
        elif self._live is None:
            display = _Display(self._running, lambda: self._said)
            self._live = Live(display, console=self._err, refresh_per_second=5, transient=True, redirect_stdout=False)
            self._live.start()

    def _end(self, event: Event) -> None:
        mine = [step for step in self._running if step.thread == threading.get_ident()]
        depth = next((at for at in reversed(range(len(mine))) if mine[at].name == event.text), None)
        step = _Running(event.text, 0.0, None) if depth is None else mine[depth]
        self._running[:] = [one for one in self._running if one is not step]
        if not self._running:
            self._pause()
        spent = duration(event.seconds or 0.0)
        last = f" (last time {duration(step.before)})" if step.before else ""
        failed = event.kind == "step-failed"
        sign, style = ("x", "red") if failed else ("+", "green")
        self._print(
            sign, style, f"{'  ' * (depth or 0)}{event.text}", f"  {spent}{last}" + ("  FAILED" if failed else "")
        )
        self._said = ""

    def _print(self, sign: str, style: str, text: str, tail: str = "") -> None:
        body = Text.assemble((f"{sign} ", style), one_line(text) if not tail else shown(text), (tail, "dim"))
        self._err.print(body, soft_wrap=True)

    def _pause(self) -> None:
        with self._lock:
            live, self._live = self._live, None
        if live is not None:
            live.stop()  # outside the lock: it joins the thread that draws

    def _start_pulse(self) -> None:
        if self._pulse is None:
            self._pulse = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
            self._pulse.start()

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT):
            with self._lock:
                innermost = {step.thread: step for step in self._running}
                for step in innermost.values():
                    spent = time.monotonic() - step.since
                    last = f" (last time {duration(step.before)})" if step.before else ""
                    if spent >= HEARTBEAT:
                        self._print("…", "dim", f"{step.name}: {duration(spent)} so far{last}")


def _console(stream: TextIO) -> Console:
    """A console that never guesses: escapes on a real terminal only, colour unless NO_COLOR asks for none."""
    terminal = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    plain = not terminal or bool(os.environ.get("NO_COLOR"))
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")  # what the terminal's encoding lacks must not end the run
    return Console(
        file=stream,
        force_terminal=terminal,
        color_system=None if plain else "standard",
        markup=False,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
