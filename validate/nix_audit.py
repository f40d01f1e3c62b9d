"""Writes what the on-machine audit of NixOS consists of; `nix/security-audit.nix` runs it within a build.

`python -m validate.nix_audit FOLDER OUT`: FOLDER holds `nixos.json`. No machine, no network, no clock.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from harden.tools import HOME
from results.base.errors import ExitCode, UsageError
from validate.plan import Plan, audit_answers, load_plan, on_nixos

PROGRAMS = ("security-audit.py", "lib/")
"""Of the tools on Debian; what changes a machine stays out."""


def audit_files(plan: Plan) -> Iterator[tuple[str, bytes, int]]:
    """Name below the audit's own folder, content and mode."""
    for file in plan.tree.files:
        name = file.path.removeprefix(f"{HOME}/")
        if name != file.path and name.startswith(PROGRAMS):
            yield name, file.content, file.mode
    for name, content in audit_answers(plan.product, plan.checks).items():
        yield name, json.dumps(content, indent=1).encode(), 0o644


def main(words: list[str]) -> int:
    """Write every file. Raises `UsageError`."""
    if len(words) != 2:
        raise UsageError("nix_audit takes two folders: where nixos.json lies, and where to write", "see its docstring")
    plan = on_nixos(load_plan(), Path(words[0]))
    for name, content, mode in audit_files(plan):
        path = Path(words[1]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
    return int(ExitCode.PASS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
