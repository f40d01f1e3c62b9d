"""A program of the target's own suite as a tar of its files, for use in a throw-away machine; never in an image."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path

from images.apt import without_secrets
from images.cache import Cache, key_of
from images.layout import MIB
from images.target import Target
from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import run

FILES = "files.tar.gz"
ROOM = 300 * MIB
DOWNLOAD_SECONDS = 300.0
LAYOUT = "1"
"""Raised when the tar's shape changes, so that older entries are not used."""


def tool_files(
    target: Target, sources: Sequence[str], package: str, folders: Sequence[str], *, cache: Cache, events: Events
) -> Path:
    """A tar of what `package` has in `folders` (such as `usr/share/lynis`); links and other packages are left out.

    apt chooses, fetches and verifies it, as for an image. Raises `InfrastructureError`.
    """
    inputs = {
        "layout": LAYOUT,
        "suite": target.suite,
        "sources": "\n".join(without_secrets(line) for line in sources),
        "package": package,
        "folders": " ".join(folders),
    }

    def make(entry: Path) -> None:
        with events.step(f"{package} of {target.suite}"):
            everything = entry.parent / "everything.tar"
            fetch = ["mmdebstrap", "--variant=extract", "--format=tar", "--skip=check/empty"]
            fetch += ["--aptopt=Apt::Install-Recommends false", f"--include={package}"]
            hint = "does the mirror answer, and has it this package?"
            run([*fetch, target.suite, str(everything), *sources], events=events, timeout=DOWNLOAD_SECONDS, hint=hint)
            kept = pick(everything, entry / FILES, folders)
            everything.unlink()
            if not kept:
                raise InfrastructureError(f"the package {package} of {target.suite} has nothing in {folders[0]}")

    return cache.get("tool", key_of(inputs), make, room=ROOM, events=events) / FILES


def pick(source: Path, chosen: Path, folders: Sequence[str]) -> int:
    """Copy the regular files and folders beneath `folders`, as root's; return how many files there were."""
    files = 0
    prefixes = tuple(f"{folder.strip('/')}/" for folder in folders)
    with tarfile.open(source) as everything, tarfile.open(chosen, "w:gz") as tar:
        for member in everything:
            name = member.name.removeprefix("./").lstrip("/")
            if ".." in name.split("/") or not (f"{name}/".startswith(prefixes)):
                continue
            if member.isreg() or member.isdir():
                member.name, member.uid, member.gid, member.uname, member.gname = name, 0, 0, "root", "root"
                member.mode &= 0o755
                tar.addfile(member, everything.extractfile(member) if member.isreg() else None)
                files += member.isreg()
    return files
