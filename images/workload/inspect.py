"""Looks at the user's own packages before anything is done with them. Nothing of them is executed or unpacked.

They are untrusted input: every size is bounded, every name is judged, and an error says which file and what to do.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NoReturn

from images.workload.streams import COMPRESSIONS, FILE_TYPES, NotReadableError, Stream, TarMember, members
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
class Part:
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
    try:
        size = _size(path)
        with path.open("rb") as file:
            parts = _parts(path, file, size)
            fields = _fields(path, _control_text(path, file, parts[1]))
            _judge_data(path, file, parts[2])
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except NotReadableError as error:
        _bad(path, f"is {error}")
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


def _parts(path: Path, file: BinaryIO, size: int) -> tuple[Part, Part, Part]:
    """The three parts of a package: format, control, data, in this order, and nothing else."""
    if file.read(len(AR_MAGIC)) != AR_MAGIC:
        _bad(path, "is no Debian package")
    parts: list[Part] = []
    while header := file.read(AR_HEADER):
        if len(parts) == 3:
            _bad(path, "is no Debian package: it has more than three parts")
        part = _part(path, header, file.tell(), size)
        parts.append(part)
        file.seek(part.offset + part.size + part.size % 2)
    names = [part.name for part in parts]
    if len(parts) != 3 or names[0] != "debian-binary" or not names[1].startswith("control.tar"):
        _bad(path, f"is no Debian package: its parts are {names!a}")
    if not names[2].startswith("data.tar"):
        _bad(path, f"is no Debian package: its parts are {names!a}")
    file.seek(parts[0].offset)
    if file.read(min(parts[0].size, 64)) != b"2.0\n":
        _bad(path, "is of a package format other than 2.0")
    return parts[0], parts[1], parts[2]


def _part(path: Path, header: bytes, offset: int, size: int) -> Part:
    text = header.decode("ascii", "replace")
    length = text[48:58].strip()
    if len(header) != AR_HEADER or header[58:] != b"`\n" or not re.fullmatch(r"[0-9]{1,10}", length, re.ASCII):
        _bad(path, "is a damaged archive")
    if offset + int(length) > size:
        _bad(path, "is cut off")
    return Part(text[:16].strip().rstrip("/"), offset, int(length))


def _stream(path: Path, file: BinaryIO, part: Part, most: int) -> Stream:
    compression = part.name.partition(".tar")[2]
    if compression not in COMPRESSIONS:
        _bad(path, f"is compressed in a way that is not taken ({part.name!a})", "build it again with dpkg-deb -Zxz")
    file.seek(part.offset)
    return Stream(file, part.size, compression, most)


def _control_text(path: Path, file: BinaryIO, part: Part) -> str:
    """The package's control file, as text."""
    found: bytes | None = None
    for member, stream in members(_stream(path, file, part, UNPACKED_MOST), most=MEMBERS_MOST):
        if member.path == "control" and member.kind in FILE_TYPES:
            if found is not None or member.size > CONTROL_MOST:
                _bad(path, "has two control files, or an enormous one")
            found = stream.exactly(member.size)
    if found is None:
        _bad(path, "has no control file")
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError:
        _bad(path, "has a control file that is not UTF-8 text")


def _fields(path: Path, text: str) -> dict[str, str]:
    """The control file's fields, of which those that we rely on are sane."""
    fields: dict[str, str] = {}
    for line in text.rstrip("\n").split("\n"):
        if line.startswith((" ", "\t")) and fields:
            continue  # more of the field above
        key, colon, value = line.partition(":")
        if not colon or not re.fullmatch(r"[!-9;-~]+", key) or key in fields:
            _bad(path, f"has a control file with a line that is no field of its own: {line[:80]!a}")
        fields[key] = value.strip()
    for key, pattern in (("Package", NAME), ("Version", VERSION)):
        if not pattern.fullmatch(fields.get(key, "")):
            _bad(path, f"has no sane {key} ({fields.get(key, '')[:80]!a})")
    if fields.get("Architecture") not in ARCHITECTURES:
        shown = ascii(fields.get("Architecture", "")[:80])
        _bad(path, f"is for architecture {shown}; the images are amd64", "build it for amd64 or all")
    return fields


def _judge_data(path: Path, file: BinaryIO, part: Part) -> None:
    """Read the data part through to its end, so that every member has been judged."""
    links: set[PurePosixPath] = set()
    for member, _ in members(_stream(path, file, part, UNPACKED_MOST), most=MEMBERS_MOST):
        _below_link(path, member, links)


def _below_link(path: Path, member: TarMember, links: set[PurePosixPath]) -> None:
    """Refuse a member that is reached through a link of the same package: it would land where the link leads."""
    place = PurePosixPath(member.path)
    reached = [*place.parents]
    if member.kind == tarfile.LNKTYPE:
        target = PurePosixPath(member.link)
        reached += [target, *target.parents]
    if any(parent in links for parent in reached):
        _bad(path, f"holds {member.path!a} behind a link of its own")
    if member.kind == tarfile.SYMTYPE:
        links.add(place)
