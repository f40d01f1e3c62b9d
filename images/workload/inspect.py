"""Looks at the user's own packages before anything is done with them. Nothing of them is executed or unpacked.

They are untrusted input: every size is bounded, every name is judged, and an error says which file and what to do.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

from images.workload.streams import Bounded, NotReadable, opened
from results.base.errors import UsageError

PACKAGE_MOST = 512 << 20  # bytes of one .deb
UNPACKED_MOST = 2 << 30  # bytes of its files
CONTROL_MOST = 1 << 20  # bytes of its control file
MEMBERS_MOST = 200_000
AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60
NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{1,127}")
VERSION = re.compile(r"(?:[0-9]{1,9}:)?[0-9][A-Za-z0-9.+~-]{0,127}")
ARCHITECTURES = ("amd64", "all")


@dataclass(frozen=True)
class WorkloadPackage:
    """A package that may be installed: where it is, what it calls itself, and its digest."""

    path: Path
    name: str
    version: str
    architecture: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Member:
    """One part of the ar archive: its bytes lie at `offset` in the file."""

    name: str
    offset: int
    size: int


def inspect_packages(paths: Sequence[Path | str]) -> tuple[WorkloadPackage, ...]:
    """Judge every package. Raises `UsageError` for the first bad one, or when two have one name."""
    if not paths:
        raise UsageError("no package given", "name one or more .deb files, or `reference`")
    packages = tuple(inspect_package(Path(path)) for path in paths)
    seen: dict[str, Path] = {}
    for package in packages:
        if package.name in seen:
            raise UsageError(
                f"{package.path}: is package {package.name}, and so is {seen[package.name]}", "give one of the two"
            )
        seen[package.name] = package.path
    return packages


def inspect_package(path: Path) -> WorkloadPackage:
    """Judge one package. Raises `UsageError`."""
    size = _size(path)
    try:
        with path.open("rb") as file:
            members = _members(path, file.read)
        _shape(path, members)
        fields = _control(path, members[1])
        _data(path, members[2])
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        _bad(path, f"cannot be read: {error.strerror or error}")
    return WorkloadPackage(path, fields["Package"], fields["Version"], fields["Architecture"], size, digest)


def _bad(path: Path, what: str, hint: str = "build the package again with dpkg-deb, or give another file") -> NoReturn:
    raise UsageError(f"{path}: {what}", hint)


def _size(path: Path) -> int:
    if not path.exists():
        _bad(path, "no such file", "give the path of a .deb file, or `reference`")
    if not path.is_file():
        _bad(path, "is not a file", "give the path of a .deb file")
    size = path.stat().st_size
    if size > PACKAGE_MOST:
        _bad(path, f"has {size >> 20} MiB; at most {PACKAGE_MOST >> 20} MiB are taken")
    return size
