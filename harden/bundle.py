"""The archive that is deployed on a running machine: the seed's script, its tuning file, and the rendered tree."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

from harden.product import Product
from harden.tree import Tree, TreeFile

SCRIPT = "harden-production-security.sh"
GUEST = Path(__file__).parent / "guest"
SCRIPT_SOURCE = GUEST / "harden_production_security.py"
LIBRARY = "lib"
PACKAGE = b"# Found before any other package of this name that the machine may have.\n"
"""Where the script finds its modules, under the names that they have here."""
TUNING = "production-tuning.conf"
TUNING_IN_MACHINE = "/etc/sysctl.d/99-{name}-tuning.conf"
"""Where the seed's third step puts `production-tuning.conf`."""


def manifest(tree: Tree, product: Product) -> dict[str, object]:
    """What the script has to know, as JSON-able values; no path in it is written by a guest."""
    return {
        "schema": 1,
        "product": product.name,
        "digest": tree.digest,
        "kernel_parameters": list(tree.kernel_parameters),
        "units": [unit.name for unit in product.units.values() if not unit.template],
        "templates": [unit.name for unit in product.units.values() if unit.template],
        "programs": {unit.name: product.binaries[unit.binary] for unit in product.units.values()},
        "accounts": sorted({account.user for account in product.accounts.values()}),
        "kept": [product.paths["state"], product.paths["logs"], product.paths["configuration"]],
        "tuning": TUNING_IN_MACHINE.format(name=product.name),
        "files": [
            {
                "path": file.path,
                "mode": f"{file.mode:04o}",
                "owner": file.owner,
                "group": file.group,
                "sha256": file.sha256,
            }
            for file in tree.files
        ],
    }


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(f"./{name}")
    member.size, member.mode, member.mtime = len(content), mode, 0
    archive.addfile(member, io.BytesIO(content))


def _tuning(tree: Tree, product: Product) -> TreeFile | None:
    return tree.by_path.get(TUNING_IN_MACHINE.format(name=product.name))


def bundle(tree: Tree, product: Product) -> bytes:
    """A `.tar.gz`; the same tree gives the same bytes."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _add(archive, SCRIPT, SCRIPT_SOURCE.read_bytes(), 0o755)
        _add(archive, f"{LIBRARY}/harden/__init__.py", PACKAGE, 0o644)
        for path in sorted(GUEST.glob("*.py")):
            if path != SCRIPT_SOURCE:  # where it is unpacked, before anything is installed
                _add(archive, f"{LIBRARY}/harden/guest/{path.name}", path.read_bytes(), 0o644)
        _add(archive, "manifest.json", json.dumps(manifest(tree, product), indent=1).encode() + b"\n", 0o644)
        tuning = _tuning(tree, product)
        if tuning:
            _add(archive, TUNING, tuning.content, 0o644)
        for file in tree.files:
            _add(archive, f"files{file.path}", file.content, 0o644)
    return gzip.compress(raw.getvalue(), mtime=0)
