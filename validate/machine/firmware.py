"""Where the host keeps OVMF, the UEFI firmware for x86-64 machines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from results.base.errors import InfrastructureError

FOLDERS = ("/usr/share/OVMF", "/usr/share/edk2/x64", "/usr/share/edk2/ovmf")
PAIRS = (
    ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
    ("OVMF_CODE.4m.fd", "OVMF_VARS.4m.fd"),
    ("OVMF_CODE.fd", "OVMF_VARS.fd"),
)
"""Code and the variables that fit it, in the order of preference. Debian 12 has both sizes, Debian 13 only 4M."""


@dataclass(frozen=True)
class Firmware:
    """The two halves of a UEFI firmware: code is shared and read-only, variables are copied for every machine."""

    code: Path
    variables: Path


def find_firmware(folders: tuple[str, ...] = FOLDERS) -> Firmware | None:
    """Find the first complete pair, or None."""
    for folder in folders:
        for code, variables in PAIRS:
            found = Firmware(Path(folder, code), Path(folder, variables))
            if found.code.is_file() and found.variables.is_file():
                return found
    return None


def firmware() -> Firmware:
    """Find the firmware. Raises `InfrastructureError` with what to install."""
    found = find_firmware()
    if found is None:
        raise InfrastructureError("OVMF, the UEFI firmware, is not on this host", "run `nox -s doctor -- --fix`")
    return found
