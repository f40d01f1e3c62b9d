"""What building images needs on the host."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from images.namespace import subordinate_range
from results.base.process import which


@dataclass(frozen=True)
class Requirement:
    """A program or file, the Debian package that has it, and what for."""

    program: str
    """Name looked for in PATH, or an absolute path."""
    package: str
    why: str
    ordinary_user_only: bool = False


REQUIREMENTS = (
    Requirement("mmdebstrap", "mmdebstrap", "unpacks and installs the operating system"),
    Requirement("apt-get", "apt", "fetches packages and verifies them"),
    Requirement("gpgv", "gpgv", "verifies the mirror's signatures"),
    Requirement(
        "/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring", "has Debian's keys, old and new"
    ),
    Requirement("mke2fs", "e2fsprogs", "makes the root file system"),
    Requirement("debugfs", "e2fsprogs", "writes hardening files into it without a mount"),
    Requirement("mformat", "mtools", "makes the boot partition without a mount"),
    Requirement("sfdisk", "fdisk", "writes the partition table"),
    Requirement("unshare", "util-linux", "keeps packages' own scripts away from the host"),
    Requirement("setpriv", "util-linux", "ends commands together with the pipeline"),
    Requirement("tar", "tar", "packs the base that variants share"),
    Requirement("gcc", "gcc", "compiles the reference workload"),
    Requirement("newuidmap", "uidmap", "lets an ordinary user build", ordinary_user_only=True),
)


def missing() -> tuple[Requirement, ...]:
    """What this host lacks for building, as the user that asks."""
    ordinary = os.geteuid() != 0
    return tuple(
        need
        for need in REQUIREMENTS
        if (ordinary or not need.ordinary_user_only)
        and not (Path(need.program).exists() if need.program.startswith("/") else which(need.program))
    )


def missing_ids() -> str:
    """For an ordinary user without subordinate ids: the command that gives some. Else an empty string."""
    user = os.geteuid()
    if user == 0:
        return ""
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    for file in ("/etc/subuid", "/etc/subgid"):
        path = Path(file)
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if subordinate_range(text, (name, str(user))) is None:
            return f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}"
    return ""
