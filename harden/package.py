"""What the package installs: the hardening with its tools. Installing it changes nothing until the script is run.

Only what is in it is decided here; who knows how a .deb is written packs it (`validate.commands.bundle`).
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from harden.bundle import GUEST, TUNING, bundle
from harden.product import Product
from harden.tools import HOME, NAME
from harden.tree import Tree

CONTROL = GUEST / "control"

Packed = tuple[bytes, int]
"""Content and mode."""


def _deployed(tree: Tree, product: Product) -> dict[str, Packed]:
    """Everything that is deployed on a machine over SSH, too: the very same bytes."""
    with tarfile.open(fileobj=io.BytesIO(bundle(tree, product))) as archive:
        found = {}
        for member in archive.getmembers():
            file = archive.extractfile(member)
            if file is not None:
                found[f"{HOME[1:]}/{member.name.removeprefix('./')}"] = (file.read(), member.mode)
        return found


def files(tree: Tree, product: Product) -> dict[str, Packed]:
    """Path without its leading slash to content and mode; the tools lie where `apply` would put them."""
    found = _deployed(tree, product)
    for file in tree.files:
        if file.path.startswith((f"{HOME}/", "/usr/sbin/", "/usr/lib/systemd/system/")):
            found[file.path[1:]] = (file.content, file.mode)
    found[f"usr/share/doc/{NAME}/{TUNING}"] = found[f"{HOME[1:]}/{TUNING}"]
    return dict(sorted(found.items()))


def control(version: str) -> dict[str, Packed]:
    """The package's control files and maintainer scripts."""
    found = {}
    for path in sorted(Path(CONTROL).iterdir()):
        text = path.read_text(encoding="utf-8").replace("@VERSION@", version)
        found[path.name] = (text.encode(), 0o644 if path.name == "control" else 0o755)
    return found
