"""From words to exit code: parses, binds signals, runs one command, and says errors in two lines."""

from __future__ import annotations

import importlib
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from results.base.errors import ExitCode, Interrupted, PipelineError
from results.base.events import Events
from results.terminal import Terminal
from validate.options import Options, parse

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def unwinding_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the stack like Ctrl-C does, so that every `with` puts its resource back."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for one in (*SIGNALS, signal.SIGINT):
            signal.signal(one, signal.SIG_IGN)  # a second one must not interrupt the putting back
        raise Interrupted(signal.Signals(number).name)

    former = {number: signal.signal(number, interrupt) for number in (*SIGNALS, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Run the chosen command; each lives in `validate/commands/<name>.py` as `run(options, events, terminal)`.

    Imported only now, so that no command waits for what another one needs.
    """
    module = importlib.import_module(f"validate.commands.{options.command}")
    return int(module.run(options, events, terminal))


def main(words: Sequence[str]) -> int:
    """Run the command line `words`; returns the exit code."""
    terminal = Terminal()
    events = Events(terminal)
    try:
        with unwinding_signals():
            return run(parse(words), events, terminal)
    except PipelineError as error:
        terminal.error(error)
        return int(error.exit_code)
    except (Interrupted, KeyboardInterrupt) as interruption:
        terminal.error(PipelineError(f"interrupted by {interruption or 'Ctrl-C'}", "nothing was left running"))
        return int(ExitCode.INFRASTRUCTURE)
    finally:
        terminal.close()
