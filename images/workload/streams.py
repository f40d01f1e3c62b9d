"""Reading the compressed tar files of untrusted packages: bounded in bytes, memory and number of members."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

CHUNK = 1 << 16
BLOCK = 512
DECODER_MEMORY = 256 << 20  # bytes that an xz file may ask for
LONG_NAME_MOST = 1 << 16  # bytes of a path
NAME_TYPES = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE)
GOOD_TYPES = (*FILE_TYPES, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE)
COMPRESSIONS = ("", ".gz", ".xz")


class NotReadableError(Exception):
    """The bytes are no tar file as dpkg takes it; the message says why, in words that follow "is" or "holds"."""


class _Decoder(Protocol):
    def __init__(self) -> None: ...

    @property
    def eof(self) -> bool: ...

    @property
    def hungry(self) -> bool: ...

    def feed(self, data: bytes) -> bytes: ...


class _Plain:
    @property
    def eof(self) -> bool:
        return False

    @property
    def hungry(self) -> bool:
        return True

    def feed(self, data: bytes) -> bytes:
        return data


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def hungry(self) -> bool:
        return not self._inner.unconsumed_tail

    def feed(self, data: bytes) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, CHUNK)


class _Xz:
    def __init__(self) -> None:
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=DECODER_MEMORY)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def hungry(self) -> bool:
        return self._inner.needs_input

    def feed(self, data: bytes) -> bytes:
        return self._inner.decompress(data, CHUNK)


DECODERS: dict[str, type[_Decoder]] = {"": _Plain, ".gz": _Gzip, ".xz": _Xz}


class Stream:
    """The plain bytes of a part of a file: at most `most` of them, never more than asked for in memory."""

    def __init__(self, file: BinaryIO, size: int, compression: str, most: int) -> None:
        """Read `size` bytes from where `file` stands; `compression` is one of COMPRESSIONS."""
        self._file, self._left, self._most = file, size, most
        self._decoder = DECODERS[compression]()
        self._ready = b""
        self._given = 0

    def _more(self) -> bool:
        """Decode some more; whether there was any."""
        while not self._decoder.eof:
            hungry = self._decoder.hungry
            data = self._file.read(min(CHUNK, self._left)) if hungry else b""
            self._left -= len(data)
            try:
                plain = self._decoder.feed(data)
            except (zlib.error, lzma.LZMAError, MemoryError) as error:
                raise NotReadableError(f"damaged: {error}") from None
            if plain:
                self._ready += plain
                return True
            if hungry and not data:
                return False
        return False

    @property
    def position(self) -> int:
        """Bytes asked for so far."""
        return self._given

    def read(self, count: int) -> bytes:
        """`count` bytes, or fewer at the end."""
        self._given += count
        if self._given > self._most:
            raise NotReadableError(f"larger than {self._most >> 20} MiB when unpacked")
        while len(self._ready) < count and self._more():
            pass
        data, self._ready = self._ready[:count], self._ready[count:]
        return data

    def skip(self, count: int) -> None:
        """Pass over `count` bytes. Raises `NotReadableError` where there are fewer."""
        while count:
            step = min(count, CHUNK)
            self.exactly(step)
            count -= step

    def exactly(self, count: int) -> bytes:
        """`count` bytes and no fewer."""
        data = self.read(count)
        if len(data) != count:
            raise NotReadableError("cut off")
        return data


@dataclass(frozen=True)
class TarMember:
    """One member: its path without leading `./`, its kind as tar spells it, and where a link leads."""

    path: str
    kind: bytes
    link: str
    size: int


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError, OverflowError) as error:
        raise NotReadableError(f"damaged: {error}") from None
    if header.size < 0:
        raise NotReadableError("damaged: a negative size")
    return header


def members(stream: Stream, *, most: int) -> Iterator[tuple[TarMember, Stream]]:
    """Every member with the stream that stands at its content, which the caller must not read beyond.

    Raises `NotReadableError` at the first member that dpkg would not take or that no package should hold.
    """
    names: dict[bytes, str] = {}
    for _ in range(most):
        block = stream.exactly(BLOCK)
        if not block.strip(b"\0"):
            return
        header = _header(block)
        if header.type in NAME_TYPES:
            if header.size > LONG_NAME_MOST:
                raise NotReadableError("damaged: a path of many kilobytes")
            raw = stream.exactly(_padded(header.size))[: header.size]
            names[header.type] = raw.rstrip(b"\0").decode("utf-8", "surrogateescape")
            continue
        path = names.pop(tarfile.GNUTYPE_LONGNAME, header.name)
        link = names.pop(tarfile.GNUTYPE_LONGLINK, header.linkname)
        member = TarMember(str(PurePosixPath(path)), header.type, link, header.size)
        _judge(member, path)
        before = stream.position
        yield member, stream
        stream.skip(_padded(header.size) - (stream.position - before))
    raise NotReadableError(f"holding more than {most} members")


def _climbs(path: str) -> bool:
    return path.startswith("/") or ".." in path.split("/")


def _judge(member: TarMember, raw: str) -> None:
    """Refuse what could land outside the folder that the package is unpacked into, and devices."""
    shown = ascii(raw)
    if member.kind not in GOOD_TYPES:
        raise NotReadableError(f"holding {shown}, which is neither file, folder nor link")
    if member.size and member.kind not in FILE_TYPES:
        raise NotReadableError(f"damaged: {shown} is no file, but has a size")
    if _climbs(raw) or "\0" in raw or not raw:
        raise NotReadableError(f"holding {shown}, a path that leads out of the package")
    if member.kind == tarfile.LNKTYPE and _climbs(member.link):
        raise NotReadableError(f"holding {shown}, a hard link that leads out of the package")
