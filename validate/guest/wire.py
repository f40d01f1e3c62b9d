"""D-Bus wire format, as much as probes and measurements need: basic types, and arrays of them, in signatures.

Standard library only, since it runs inside the machine. Little-endian both ways; every length that a peer
states is checked against `LIMIT` and against what is really there before anything is taken.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

LIMIT = 1 << 20
"""Greatest message, string or array in bytes that is read or written."""

FIXED = {"y": ("B", 1), "n": ("h", 2), "q": ("H", 2), "i": ("i", 4), "u": ("I", 4), "x": ("q", 8), "t": ("Q", 8)}
FIXED["d"] = ("d", 8)
ALIGNMENT = {code: size for code, (_, size) in FIXED.items()} | {"b": 4, "s": 4, "o": 4, "g": 1, "a": 4, "(": 8, "v": 1}


class WireError(Exception):
    """What came over the bus is not D-Bus, or larger or odder than we read."""


def types(signature: str) -> list[str]:
    """Split `sasu` into `s`, `as`, `u`. Raises `WireError` for containers other than arrays of basic types."""
    found, prefix = [], ""
    for code in signature:
        if code == "a" and not prefix:
            prefix = "a"
        elif code in FIXED or code in "bsog":
            found.append(prefix + code)
            prefix = ""
        else:
            raise WireError(f"signature {signature!r} is beyond this client")
    if prefix:
        raise WireError(f"signature {signature!r} ends in the middle")
    return found


class Writer:
    """Appends values to a growing message."""

    def __init__(self) -> None:
        """Start empty, at alignment 0."""
        self.data = bytearray()

    def pad(self, alignment: int) -> None:
        """Zeros up to the next multiple."""
        self.data += bytes(-len(self.data) % alignment)

    def put(self, code: str, value: object) -> None:
        """Append one value of one complete type."""
        if code[0] == "a":
            self._array(code[1], value)
            return
        self.pad(ALIGNMENT[code])
        if code == "b":
            self.data += struct.pack("<I", bool(value))
        elif code in FIXED:
            self.data += struct.pack("<" + FIXED[code][0], value)
        else:
            text = str(value).encode()
            if len(text) > LIMIT or b"\0" in text:
                raise WireError("a string that D-Bus cannot carry")
            self.data += (struct.pack("<B", len(text)) if code == "g" else struct.pack("<I", len(text))) + text + b"\0"

    def _array(self, code: str, value: object) -> None:
        if not isinstance(value, Iterable):
            raise WireError(f"an array of {code} from {type(value).__name__}")
        self.pad(4)
        at = len(self.data)
        self.data += bytes(4)
        self.pad(ALIGNMENT[code])
        start = len(self.data)
        for one in value:
            self.put(code, one)
        struct.pack_into("<I", self.data, at, len(self.data) - start)


class Reader:
    """Takes values off a message that an untrusted peer has made."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        """Read `data` from `at` on; alignment counts from the start of `data`."""
        self.data, self.at = data, at

    def take(self, size: int) -> bytes:
        """The next `size` bytes, or `WireError`."""
        if size > LIMIT or self.at + size > len(self.data):
            raise WireError("a length that points outside of the message")
        self.at += size
        return self.data[self.at - size : self.at]

    def align(self, alignment: int) -> None:
        """Skip to the next multiple."""
        self.take(-self.at % alignment)

    def get(self, code: str) -> object:
        """One value of one complete type."""
        self.align(ALIGNMENT[code[0]])
        if code[0] == "a":
            length = int.from_bytes(self.take(4), "little")
            self.align(ALIGNMENT[code[1]])
            end, items = self.at + length, []
            while self.at < end:
                items.append(self.get(code[1]))
            return items
        if code == "b":
            return self.take(4) != b"\0\0\0\0"
        if code in FIXED:
            form, size = FIXED[code]
            return struct.unpack("<" + form, self.take(size))[0]
        length = int.from_bytes(self.take(1 if code == "g" else 4), "little")
        text = self.take(length + 1)[:-1]
        return text.decode(errors="backslashreplace")

    def values(self, signature: str) -> tuple[object, ...]:
        """All values of a body."""
        return tuple(self.get(code) for code in types(signature))
