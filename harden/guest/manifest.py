"""What is to be done, as the bundle's manifest says it."""

from __future__ import annotations

import grp
import hashlib
import json
import pwd
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harden.guest.system import RefusedError

STATE = Path("/var/lib/dots-family-hardening")
"""Where the former state is kept; only root enters."""

HOME = Path("/usr/lib/dots-family-hardening")
"""Where the tools lie on a hardened machine."""

BASELINE = HOME / "baseline.json"
"""What a machine has to be whose image was made hardened: there is no former state, so nothing was kept."""

LOADER_ENTRIES = Path("/boot/efi/loader/entries")


PARTS = {
    "apparmor": r"/etc/apparmor\.d/.*",
    "audit": r"/etc/audit/.*",
    "network": r"/etc/[^/]+-hardening/egress\..*"
    r"|/etc/systemd/system/([^/]+-egress\.|multi-user\.target\.d/|nftables\.service\.d/).*",
}
"""What a machine can do without, and where its files lie."""


@dataclass(frozen=True)
class Entry:
    """One file of the hardening."""

    path: Path
    mode: str
    owner: str
    group: str
    sha256: str

    @property
    def ids(self) -> tuple[int, int]:
        """Its owner and group as numbers of this machine."""
        return pwd.getpwnam(self.owner).pw_uid, grp.getgrnam(self.group).gr_gid

    def in_place(self) -> bool:
        """Whether it is there, as it has to be."""
        try:
            info = self.path.lstat()
            same = hashlib.sha256(self.path.read_bytes()).hexdigest() == self.sha256
        except OSError:
            return False
        return same and f"{info.st_mode & 0o7777:04o}" == self.mode and (info.st_uid, info.st_gid) == self.ids


@dataclass(frozen=True)
class Manifest:
    """The whole of it; `folder` is where the bundle lies, or where an earlier run has left its manifest."""

    folder: Path
    kernel_parameters: tuple[str, ...]
    units: tuple[str, ...]
    templates: tuple[str, ...]
    accounts: tuple[str, ...]
    programs: dict[str, str]
    """Unit to the program that it has to start: another one is another vendor's."""
    kept: tuple[Path, ...]
    """Folders of the product whose owners and modes are remembered."""
    tuning: Path
    """Belongs to a step of its own, so it is neither written nor awaited here."""
    files: tuple[Entry, ...]
    without: tuple[str, ...] = ()
    """Parts that this machine has not got and that are left out, by the administrator's word."""

    def less(self, parts: tuple[str, ...]) -> Manifest:
        """The same without these parts."""
        left = (one for one in self.files if not any(re.fullmatch(PARTS[part], str(one.path)) for part in parts))
        return replace(self, files=tuple(left), without=parts)

    @property
    def hardening(self) -> tuple[Entry, ...]:
        """The files of this step."""
        return tuple(entry for entry in self.files if entry.path != self.tuning)

    def under(self, folder: str) -> tuple[Entry, ...]:
        """The files of this step below one folder."""
        return tuple(entry for entry in self.hardening if entry.path.is_relative_to(folder))

    def source(self, entry: Entry) -> Path:
        """The file in the bundle."""
        return self.folder / "files" / entry.path.relative_to("/")

    def content(self, entry: Entry) -> bytes:
        """Its content, proven to be what the manifest says. Raises `RefusedError`."""
        source = self.source(entry)
        if not source.is_file() and entry.in_place():  # an image that was made hardened keeps no second copy
            source = entry.path
        try:
            content = source.read_bytes()
        except FileNotFoundError:
            raise RefusedError(f"{entry.path}: there is no copy of it here; install the package") from None
        if hashlib.sha256(content).hexdigest() != entry.sha256:
            raise RefusedError(f"{entry.path}: the bundle is damaged")
        return content

    def text(self, folder: str) -> str:
        """The files below one folder, one after the other."""
        return "\n".join(self.content(entry).decode() for entry in self.under(folder))

    def sysctl_names(self) -> list[str]:
        """Kernel settings that this step sets."""
        return re.findall(r"^([a-z][\w./-]+) =", self.text("/etc/sysctl.d"), re.MULTILINE)


def parse(data: dict[str, Any], folder: Path) -> Manifest:
    """The manifest from its JSON. Raises `RefusedError` for another version."""
    if data.get("schema") != 1:
        raise RefusedError(f"{folder}/manifest.json: of another version than this script")
    return Manifest(
        folder=folder,
        kernel_parameters=tuple(data["kernel_parameters"]),
        units=tuple(data["units"]),
        templates=tuple(data["templates"]),
        accounts=tuple(data["accounts"]),
        programs=dict(data.get("programs", {})),
        kept=tuple(Path(path) for path in data["kept"]),
        tuning=Path(data["tuning"]),
        files=tuple(Entry(**{**entry, "path": Path(entry["path"])}) for entry in data["files"]),
        without=tuple(data.get("without", ())),
    )


def kept(folder: Path) -> Manifest:
    """The manifest of what has been applied here. Raises `RefusedError`, or `OSError` when nothing has."""
    return _parsed(folder / "manifest.json", folder)


def baseline() -> Manifest:
    """What this machine has to be: as applied here, or as its image was made. Raises like `kept`."""
    return kept(STATE) if (STATE / "complete").exists() else _parsed(BASELINE, HOME)


def _parsed(path: Path, folder: Path) -> Manifest:
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")), folder)
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(f"{path}: is damaged ({error}); apply the hardening again") from None


def load(here: Path) -> Manifest:
    """The manifest beside the script, the one that an earlier run has left, or the image's. Raises `RefusedError`."""
    for path in (here / "manifest.json", STATE / "manifest.json", BASELINE):
        if path.is_file():
            return parse(json.loads(path.read_text(encoding="utf-8")), path.parent)
    raise RefusedError(f"{here}: no manifest.json beside the script, and nothing has been applied here")


def with_parameters(text: str, parameters: tuple[str, ...]) -> str:
    """A loader entry whose options end with the parameters, in their order, and hold none of them twice."""
    keys = {word.partition("=")[0] for word in parameters}
    lines = []
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["options"]:
            others = [word for word in words[1:] if word.partition("=")[0] not in keys]
            lines.append(" ".join(["options", *others, *parameters]))
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"
