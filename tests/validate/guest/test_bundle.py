"""Our guest modules as one script, run by a real isolated interpreter."""

from __future__ import annotations

import sys
from pathlib import Path

from results.base.events import Events
from results.base.process import run
from validate.guest.bundle import closure, packed
from validate.probes.catalogue import modules

FORBIDDEN = ("results", "harden", "images", "yaml", "pydantic", "paramiko")


QUOTING = """
import traceback
from validate.guest import wire
try:
    wire.types("a")
except wire.WireError:
    traceback.print_exc()
"""


def test_what_is_sent_is_of_the_standard_library() -> None:
    sources = closure(["validate.guest.runner", *modules(), "validate.benchmarks.content.rounds"])
    assert "validate.guest.wire" in sources
    for name, source in sources.items():
        for word in FORBIDDEN:
            assert f"import {word}" not in source, name
            assert f"from {word}" not in source, name


def test_a_packed_script_runs_isolated(tmp_path: Path) -> None:
    main = "import validate.guest.system as s, validate.guest.wire as w\nprint(w.types('asu'), s.alive(1))"
    script = packed(["validate.guest.system", "validate.guest.wire"], main)
    done = run([sys.executable, "-I", "-"], stdin=script.encode(), events=Events(), cwd=tmp_path)
    assert done.text.strip() == "['as', 'u'] True"


def test_errors_quote_the_sent_source(tmp_path: Path) -> None:
    script = packed(["validate.guest.wire"], QUOTING)
    done = run([sys.executable, "-I", "-"], stdin=script.encode(), events=Events(), cwd=tmp_path)
    assert b"ends in the middle" in done.stderr
    assert b"raise WireError" in done.stderr
