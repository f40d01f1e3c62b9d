"""Plain lines where there is no terminal; nothing that a machine says reaches the terminal as a command."""

from __future__ import annotations

import io
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.base.errors import InfrastructureError
from results.base.events import Events
from results.records import RunRecord, Verdict
from results.terminal import REASONS, Terminal
from results.text import one_line, shown


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


def record(verdict: str, *why: str) -> RunRecord:
    return RunRecord(id="r", target="debian", workload="w", started="s", verdict=Verdict(verdict), why=why)


def test_one_plain_line_a_step() -> None:
    err, out = io.StringIO(), io.StringIO()
    terminal = Terminal(err, out)
    terminal.expect({"boot": 41.0})
    events = Events(terminal)
    with events.step("boot"), events.step("wait"):
        events.emit("warning", "slow \x1b[31m host")
        events.emit("command", "not shown")
    with pytest.raises(ValueError, match="x"), events.step("collect"):
        raise ValueError("x")
    terminal.close()
    assert re.sub(r"0\.\d s", "0.0 s", err.getvalue()).splitlines() == [
        "! slow \\x1b[31m host",
        "+   wait  0.0 s",
        "+ boot  0.0 s (last time 41 s)",
        "x collect  0.0 s  FAILED",
    ]
    assert out.getvalue() == ""


def test_steps_of_two_threads_are_not_told_as_one_within_the_other() -> None:
    err = io.StringIO()
    events = Events(Terminal(err, io.StringIO()))
    begun, go = threading.Event(), threading.Event()

    def other() -> None:
        with events.step("hardened: boot"):
            begun.set()
            go.wait(5)

    thread = threading.Thread(target=other)
    thread.start()
    assert begun.wait(5)
    with events.step("baseline: boot"), events.step("baseline: accounts"):
        pass
    go.set()
    thread.join(5)
    told = [line.rpartition("  ")[0] for line in err.getvalue().splitlines()]
    assert told == ["+   baseline: accounts", "+ baseline: boot", "+ hardened: boot"]


def test_error_says_what_evidence_and_hint() -> None:
    err = io.StringIO()
    Terminal(err, io.StringIO()).error(InfrastructureError("no boot", "look there", evidence="one\ntwo \x07"))
    assert err.getvalue() == "error: no boot\n  | one\n  | two \\x07\nhint:  look there\n"


def test_verdict_with_reasons_and_report(tmp_path: Path) -> None:
    out = io.StringIO()
    (tmp_path / "report.html").touch()
    Terminal(io.StringIO(), out).verdict(record("fail", *(f"r{n}" for n in range(REASONS + 3))), tmp_path)
    text = out.getvalue()
    assert text.startswith("\nFAIL  debian: ")
    assert "  … and 3 more in the report\n" in text
    assert text.endswith(f"report: {tmp_path}/report.html\n")


def test_output_for_programs_is_untouched() -> None:
    out = io.StringIO()
    terminal = Terminal(io.StringIO(), out)
    terminal.output('{"a": "' + "x" * 300 + '"}')
    assert out.getvalue() == '{"a": "' + "x" * 300 + '"}\n'


def test_live_display_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    err = Tty()
    terminal = Terminal(err, io.StringIO())
    terminal.expect({"boot": 3.0})
    with Events(terminal).step("boot"):
        pass
    terminal.close()
    terminal.close()
    assert "last time 3.0 s" in err.getvalue()
    assert "\x1b[32m" in err.getvalue()


def test_no_color_and_dumb_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Tty()
    Terminal(Tty(), out).verdict(record("pass"), Path("x"))
    assert "\x1b[" not in out.getvalue()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = Tty()
    Terminal(Tty(), out).verdict(record("pass"), Path("x"))
    assert "\x1b" not in out.getvalue()


def test_encoding_that_lacks_a_character_does_not_end_the_run() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Terminal(stream, io.StringIO()).error(InfrastructureError("größer", evidence="…"))
    stream.flush()
    assert b"gr\\xf6" in raw.getvalue()


@given(st.text(st.characters(exclude_categories=())))
def test_shown_text_has_nothing_to_steer_with(text: str) -> None:
    safe = shown(text)
    safe.encode("utf-8")
    assert all(character.isprintable() or character in "\n\t\u3000\xa0" or character.isspace() for character in safe)
    assert not any(ord(character) < 32 for character in safe.replace("\n", "").replace("\t", ""))
    assert "\n" not in one_line(text)
    assert len(one_line(text)) <= 400
