"""The tools that stay on a hardened machine: script, audit, monitor, their timers, and the monitor's baseline.

They are files of the tree like every other: baked into an image and written by a deployment alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from harden.bundle import GUEST, LIBRARY, PACKAGE, SCRIPT, SCRIPT_SOURCE, manifest
from harden.product import Product
from harden.tree import Tree, TreeFile, digest_of

NAME = "dots-family-hardening"
HOME = f"/usr/lib/{NAME}"
AUDIT = "security-audit.sh"
MONITOR = "dots-family-security-monitor"
UNITS = GUEST / "units"
PROGRAMS = {
    SCRIPT: SCRIPT_SOURCE,
    "security-audit.py": GUEST / "security_audit.py",
    MONITOR: GUEST / "security_monitor.py",
}
"""What is started, and where it stands here."""
WORDS = {SCRIPT: SCRIPT, AUDIT: "security-audit.py"}
"""Words that an administrator types, in /usr/sbin, and what each of them starts."""
WRAPPER = '#!/bin/sh\nexec /usr/bin/python3 -I {home}/{program} "$@"\n'
TIMERS = "/etc/systemd/system/timers.target.d/50-dots-family-security.conf"
"""Starts the timers at boot. A file, not a link: so it is written, watched and taken back like all others."""
TIMERS_TEXT = """# {path}
# Starts the security monitor every hour and the audit every month. Written by the dots-family hardening.
[Unit]
Wants=dots-family-security-monitor.timer dots-family-security-audit.timer
"""
BASELINE = f"{HOME}/baseline.json"
"""What every other file has to be; the monitor compares with it, and nobody but root writes it."""

Modules = Mapping[str, str]
"""Source by dotted name of a module."""


def _file(path: str, content: bytes, control: str, mode: int = 0o644) -> TreeFile:
    return TreeFile(path, content, mode, "root", "root", (control,))


def _static(modules: Modules) -> Iterator[TreeFile]:
    for name, source in PROGRAMS.items():
        yield _file(f"{HOME}/{name}", source.read_bytes(), "monitoring.tools", 0o755)
    for path in sorted(GUEST.glob("*.py")):
        if path not in PROGRAMS.values():
            yield _file(f"{HOME}/{LIBRARY}/harden/guest/{path.name}", path.read_bytes(), "monitoring.tools")
    for module, text in modules.items():
        yield _file(f"{HOME}/{LIBRARY}/{module.replace('.', '/')}.py", text.encode(), "monitoring.tools")
    for package in ("harden", *sorted({name.split(".")[0] for name in modules})):
        yield _file(f"{HOME}/{LIBRARY}/{package}/__init__.py", PACKAGE, "monitoring.tools")
    for word, program in WORDS.items():
        text = WRAPPER.format(home=HOME, program=program)
        yield _file(f"/usr/sbin/{word}", text.encode(), "monitoring.commands", 0o755)
    for path in sorted(UNITS.iterdir()):
        yield _file(f"/usr/lib/systemd/system/{path.name}", path.read_bytes(), "monitoring.units")
    yield _file(TIMERS, TIMERS_TEXT.format(path=TIMERS).encode(), "monitoring.enabled")


def _more(tree: Tree, files: Iterator[TreeFile]) -> Tree:
    ordered = tuple(sorted((*tree.files, *files), key=lambda file: file.path))
    return Tree(ordered, tree.kernel_parameters, digest_of(ordered, tree.kernel_parameters))


def with_tools(tree: Tree, modules: Modules) -> Tree:
    """The tree with everything of the tools that no check has to know before it is rendered.

    `modules` are the collector's and the judge's own sources, copied as they are.
    """
    return _more(tree, _static(modules))


def with_answers(tree: Tree, product: Product, answers: Mapping[str, Any]) -> Tree:
    """The whole tree: what the audit asks and how it judges (`answers`, by file name), and the baseline over all of it.

    These three cannot be in `checks`, which would have to hold their own digest: their owner and mode are.
    """
    told = _more(tree, (_json(f"{HOME}/{name}", content) for name, content in answers.items()))
    return _more(told, iter([_json(BASELINE, manifest(told, product))]))


def _json(path: str, content: object) -> TreeFile:
    return _file(path, json.dumps(content, indent=1).encode() + b"\n", "monitoring.baseline")
