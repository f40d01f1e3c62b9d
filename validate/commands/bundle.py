"""`bundle`: what an administrator installs by hand, as a .deb and as a .tar.gz with the same files."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from harden.package import Packed, control, files
from harden.tools import NAME
from images.workload.deb import Entry, archive, tarball
from results.base.errors import ExitCode
from results.base.events import Events
from results.terminal import Terminal
from validate.options import Options
from validate.plan import Plan, load_plan

OUTPUT = Path("dist")
PROJECT = Path(__file__).parents[2] / "pyproject.toml"
EPOCH = 1_760_000_000  # Unix seconds: the times in the package, unless SOURCE_DATE_EPOCH says other


def version() -> str:
    """The project's version."""
    return str(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"])


def contents(plan: Plan) -> dict[str, Packed]:
    """Every file of the package, by path."""
    return files(plan.tree, plan.product)


def _entries(packed: Mapping[str, Packed]) -> list[Entry]:
    return [Entry(path, content, mode) for path, (content, mode) in packed.items()]


def packages(plan: Plan, epoch: int) -> dict[str, bytes]:
    """File name to content; the same sources give the same bytes."""
    inside, number = _entries(contents(plan)), version()
    return {
        f"{NAME}_{number}_all.deb": archive(_entries(control(number)), inside, epoch),
        f"{NAME}_{number}.tar.gz": tarball(inside, epoch),
    }


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Write both, and say where they lie."""
    plan = load_plan(options.product)
    with events.step("bundle: pack"):
        made = packages(plan, int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH)))
        OUTPUT.mkdir(exist_ok=True)
        for name, content in made.items():
            fresh = OUTPUT / f".{name}.new"
            fresh.write_bytes(content)
            fresh.replace(OUTPUT / name)
    for name in made:
        terminal.line(str(OUTPUT / name))
    return int(ExitCode.PASS)
