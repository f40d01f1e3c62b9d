"""What the host needs for starting machines, and which Debian package has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from results.base.process import which
from validate.machine.firmware import find_firmware


@dataclass(frozen=True)
class Requirement:
    """One program or file (the first of `paths` that exists will do), its package, and what it is for."""

    program: str
    paths: tuple[str, ...]
    package: str
    why: str

    @property
    def met(self) -> bool:
        """Whether the host has it."""
        if self.program:
            return which(self.program) is not None
        return any(Path(path).is_file() for path in self.paths)


REQUIREMENTS = (
    Requirement("qemu-system-x86_64", (), "qemu-system-x86", "runs the machines"),
    Requirement("qemu-img", (), "qemu-utils", "makes the throw-away overlay of a disk"),
    Requirement("setpriv", (), "util-linux", "ties every process to the pipeline's life, and takes its privileges"),
)

FIRMWARE = Requirement("", ("/usr/share/OVMF/OVMF_CODE_4M.fd",), "ovmf", "UEFI firmware of the machines")


def missing() -> tuple[Requirement, ...]:
    """Everything in here that the host lacks."""
    lacking = [one for one in REQUIREMENTS if not one.met]
    if find_firmware() is None:
        lacking.append(FIRMWARE)
    return tuple(lacking)
