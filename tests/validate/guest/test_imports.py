"""What is sent must start fast: under emulation a heavy import costs more than the work."""

from __future__ import annotations

import subprocess
import sys

from validate.facts.collect import MODULES
from validate.guest.bundle import packed
from validate.machine.guestscript import ARGV, task

HEAVY = ("importlib.abc", "importlib.resources", "inspect", "pathlib", "platform", "tempfile", "traceback", "zipfile")


def test_the_collector_starts_without_what_is_slow_to_import() -> None:
    main = "\n".join(f"import {module}" for module in MODULES) + "\nimport sys\nRESULT = sorted(sys.modules)\n"
    done = subprocess.run(
        [sys.executable, *ARGV[1:]], input=task(packed(MODULES, main), {}, {}), capture_output=True, check=True
    )
    assert b"validate.facts.guest.collector" in done.stdout
    assert [name for name in HEAVY if f'"{name}"'.encode() in done.stdout] == []
