"""What the package installs: the hardening with its tools. Installing it changes nothing until the script is run.

Only what is in it is decided here; who knows how a .deb is written packs it (`validate.commands.bundle`).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from harden.bundle import GUEST, LIBRARY, SCRIPT, TUNING, bundle
from harden.product import Product
from harden.tree import Tree

NAME = "dots-family-hardening"
HOME = f"usr/lib/{NAME}"
AUDIT = "security-audit.sh"
MONITOR = "dots-family-security-monitor"
UNITS = GUEST / "units"
CONTROL = GUEST / "control"
TOOLS = {SCRIPT: f"{HOME}/{SCRIPT}", AUDIT: f"{HOME}/security-audit.py"}
"""Words that an administrator types, in /usr/sbin, and what each of them starts."""
WRAPPER = '#!/bin/sh\nexec /usr/bin/python3 -I /{target} "$@"\n'

Packed = tuple[bytes, int]
"""Content and mode."""


def _deployed(tree: Tree, product: Product) -> dict[str, Packed]:
    """Everything that is deployed on a machine over SSH, too: the very same bytes."""
    with tarfile.open(fileobj=io.BytesIO(bundle(tree, product))) as archive:
        found = {}
        for member in archive.getmembers():
            file = archive.extractfile(member)
            if file is not None:
                found[f"{HOME}/{member.name.removeprefix('./')}"] = (file.read(), member.mode)
        return found


def files(tree: Tree, product: Product, judging: Mapping[str, str], answers: Mapping[str, bytes]) -> dict[str, Packed]:
    """Path without its leading slash to content and mode.

    `judging` is the judge's source by dotted module name, copied as it is; `answers` are the collector and what it
    and the judge are fed with, by file name.
    """
    found = _deployed(tree, product)
    found[f"{HOME}/security-audit.py"] = ((GUEST / "security_audit.py").read_bytes(), 0o755)
    found[f"{HOME}/{MONITOR}"] = ((GUEST / "security_monitor.py").read_bytes(), 0o755)
    for module, source in judging.items():
        *packages, last = module.split(".")
        for count in range(len(packages)):
            folder = "/".join(packages[: count + 1])
            found[f"{HOME}/{LIBRARY}/{folder}/__init__.py"] = (b"", 0o644)
        found[f"{HOME}/{LIBRARY}/{'/'.join([*packages, last])}.py"] = (source.encode(), 0o644)
    for name, content in answers.items():
        found[f"{HOME}/{name}"] = (content, 0o644)
    for word, target in TOOLS.items():
        found[f"usr/sbin/{word}"] = (WRAPPER.format(target=target).encode(), 0o755)
    for path in sorted(UNITS.iterdir()):
        found[f"usr/lib/systemd/system/{path.name}"] = (path.read_bytes(), 0o644)
    found[f"usr/share/doc/{NAME}/{TUNING}"] = found[f"{HOME}/{TUNING}"]
    return dict(sorted(found.items()))


def control(version: str) -> dict[str, Packed]:
    """The package's control files and maintainer scripts."""
    found = {}
    for path in sorted(Path(CONTROL).iterdir()):
        text = path.read_text(encoding="utf-8").replace("@VERSION@", version)
        found[path.name] = (text.encode(), 0o644 if path.name == "control" else 0o755)
    return found
