"""`sign`: one signed statement over every file of a run, or a first key pair."""

from __future__ import annotations

from pathlib import Path

from results.attest.keys import generate, private_key
from results.attest.statement import sign
from results.base.errors import ExitCode, UsageError
from results.base.events import Events
from results.terminal import Terminal
from validate.options import Options


def run(options: Options, events: Events, terminal: Terminal) -> int:  # noqa: ARG001 - every command's shape
    """Sign `--run` with `--key`, or make `--generate-key`."""
    if options.generate_key:
        terminal.line(f"keep {options.generate_key} to yourself, and hand out {generate(Path(options.generate_key))}")
        return int(ExitCode.PASS)
    if not options.key:
        raise UsageError("sign: no --key", "`--key FILE` names a private key; `--generate-key FILE` makes one")
    folder = Path(options.run) if options.run else options.results / "latest"
    made = sign(folder, private_key(Path(options.key)), even_failed=options.even_failed)
    terminal.line(f"signed {len(made.run.files)} files, verdict {made.run.verdict}: {folder / 'attestation.json'}")
    return int(ExitCode.PASS)
