"""`verify`: whether a signed run is still what was signed, and whether its findings follow from its facts."""

from __future__ import annotations

from pathlib import Path

from results.attest.keys import public_key
from results.attest.statement import check
from results.base.errors import ExitCode, UsageError
from results.base.events import Events
from results.terminal import Terminal
from results.text import one_line
from validate.options import Options
from validate.rejudge import CHECKS, differences


def run(options: Options, events: Events, terminal: Terminal) -> int:  # noqa: ARG001 - every command's shape
    """Check `--run` against `--key`; exit code 1 where anything differs."""
    if not options.key:
        raise UsageError("verify: no --key", "`--key FILE` names the signer's public key")
    folder = Path(options.run) if options.run else options.results / "latest"
    statement, wrong = check(folder, public_key(Path(options.key)))
    if not wrong:  # only what the signer stands for is judged again
        wrong = tuple(differences(folder))
    for line in wrong:
        terminal.line(one_line(line))
    if not wrong:
        terminal.line(f"{len(statement.run.files)} files as signed; the run's verdict is {statement.run.verdict}")
        if (folder / CHECKS).is_file():
            terminal.line("its facts, judged again with its own checks, give the same findings")
        else:
            terminal.line(f"its findings were not judged again: the run has no {CHECKS}")
    return int(ExitCode.FAIL if wrong else ExitCode.PASS)
