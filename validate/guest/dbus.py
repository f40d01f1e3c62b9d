"""A tiny D-Bus client: connect to a bus socket, say Hello, call methods, get replies or named errors.

Standard library only. A connection belongs to whoever the process is when it connects, so it can be made
after `fork` and `setuid` as another user. Nothing is read beyond the bounds of `wire`, and no call waits
longer than its time limit.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import NamedTuple

from validate.guest.wire import LIMIT, Reader, WireError, Writer, types

SYSTEM_BUS = "/run/dbus/system_bus_socket"
BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
CALL, REPLY, ERROR = 1, 2, 3
PATH, INTERFACE, MEMBER, ERROR_NAME, REPLY_SERIAL, DESTINATION, SENDER, SIGNATURE = range(1, 9)
HEADER_TYPES = {PATH: "o", INTERFACE: "s", MEMBER: "s", ERROR_NAME: "s", DESTINATION: "s", SENDER: "s", SIGNATURE: "g"}
HEADER_TYPES[REPLY_SERIAL] = "u"


class BusError(Exception):
    """The peer, or the bus itself, answered with an error; `name` is the D-Bus name of it."""

    def __init__(self, name: str, message: str) -> None:
        """Keep both apart: the name is the evidence, the message is for people."""
        super().__init__(f"{name}: {message}")
        self.name, self.message = name, message


class Address(NamedTuple):
    """Where a method is: bus name, object path, interface."""

    destination: str
    path: str
    interface: str


class Message(NamedTuple):
    """One message as it came: kind, header fields by number, body as bytes."""

    kind: int
    fields: dict[int, object]
    body: bytes

    def values(self) -> tuple[object, ...]:
        """The body, decoded by its signature."""
        return Reader(self.body).values(str(self.fields.get(SIGNATURE, "")))


def encode(kind: int, serial: int, fields: dict[int, object], signature: str, arguments: tuple[object, ...]) -> bytes:
    """One message, ready to send."""
    codes = types(signature)
    if len(codes) != len(arguments):
        raise WireError(f"{len(arguments)} arguments for signature {signature!r}")
    body = Writer()
    for code, value in zip(codes, arguments):  # noqa: B905 - the machine may have an old Python; checked above
        body.put(code, value)
    if signature:
        fields = {**fields, SIGNATURE: signature}
    head = Writer()
    head.data += struct.pack("<BBBBII", ord("l"), kind, 0, 1, len(body.data), serial)
    inner = Writer()
    inner.data += bytes(16)  # stands for the fixed part and the array's length, so that alignment is right
    for number, value in fields.items():
        inner.pad(8)
        inner.put("y", number)
        inner.put("g", HEADER_TYPES[number])
        inner.put(HEADER_TYPES[number], value)
    head.data += struct.pack("<I", len(inner.data) - 16) + inner.data[16:]
    head.pad(8)
    return bytes(head.data + body.data)


def sizes(start: bytes) -> tuple[int, int]:
    """Length of the header with padding, and of the body, from a message's first 16 bytes."""
    if start[:1] != b"l":
        raise WireError("only little-endian messages are read")
    body, _, fields = struct.unpack("<III", start[4:16])
    if body > LIMIT or fields > LIMIT:
        raise WireError(f"a message of {body + fields} bytes")
    return (16 + fields + 7) // 8 * 8, body


def decode(data: bytes) -> Message:
    """A whole message from its bytes. Header fields that we do not know are refused."""
    header, _ = sizes(data[:16])
    reader = Reader(data[: struct.unpack("<I", data[12:16])[0] + 16], 16)
    fields: dict[int, object] = {}
    while reader.at < len(reader.data):
        reader.align(8)
        number, signature = reader.take(1)[0], str(reader.get("g"))
        if len(types(signature)) != 1:
            raise WireError(f"a header field of type {signature!r}")
        fields[number] = reader.get(types(signature)[0])
    return Message(data[1], fields, data[header:])


class Connection:
    """A connection to a bus as the current effective user. Use it with `with`."""

    def __init__(self, path: str = SYSTEM_BUS, *, seconds: float = 10.0) -> None:
        """Connect, authenticate as our own uid and say Hello; `seconds` is the limit of every single call."""
        self.seconds = seconds
        self._serial = 0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.settimeout(seconds)
            self._socket.connect(path)
            self._authenticate()
            self.name = str(self.call(Address(*BUS), "Hello")[0])
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> Connection:  # noqa: PYI034 - typing.Self is younger than the oldest machine's Python
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bus; names that were owned are free again."""
        self._socket.close()

    def fileno(self) -> int:
        """The socket's descriptor, for whoever keeps it open."""
        return self._socket.fileno()

    def call(self, to: Address, member: str, signature: str = "", *arguments: object) -> tuple[object, ...]:
        """Call a method and return what it returned.

        Raises `BusError` with the error's name, `TimeoutError`, `WireError`, or `OSError` when the bus hangs up.
        """
        self._serial += 1
        fields = {PATH: to.path, INTERFACE: to.interface, MEMBER: member, DESTINATION: to.destination}
        ends = time.monotonic() + self.seconds
        self._socket.settimeout(self.seconds)
        self._socket.sendall(encode(CALL, self._serial, dict(fields), signature, arguments))
        while True:
            answer = self._message(ends)
            if answer.kind not in (REPLY, ERROR) or answer.fields.get(REPLY_SERIAL) != self._serial:
                continue  # a signal, or the answer to a call that was given up
            if answer.kind == REPLY:
                return answer.values()
            said = answer.values() if answer.fields.get(SIGNATURE) == "s" else ("",)
            raise BusError(str(answer.fields.get(ERROR_NAME, "")), str(said[0]))

    def exchange(self, frame: bytes) -> None:
        """Send a message that is ready, and read the next one that comes; nothing of it is decoded.

        For measuring: the client does as little as it can. Raises `BusError` where that is no reply.
        """
        self._socket.sendall(frame)
        data = self._socket.recv(1 << 16)
        if len(data) < 16 or data[1] != REPLY or sum(sizes(data[:16])) != len(data):
            raise BusError("", f"no whole reply, but {data[:16]!r} and {max(0, len(data) - 16)} bytes more")

    def bus(self, member: str, signature: str = "", *arguments: object) -> tuple[object, ...]:
        """Call a method of the bus itself."""
        return self.call(Address(*BUS), member, signature, *arguments)

    def _authenticate(self) -> None:
        identity = str(os.geteuid()).encode().hex()
        self._socket.sendall(b"\0AUTH EXTERNAL " + identity.encode() + b"\r\n")
        answer = self._line()
        if not answer.startswith(b"OK "):
            raise BusError("org.freedesktop.DBus.Error.AuthFailed", answer.decode(errors="backslashreplace"))
        self._socket.sendall(b"BEGIN\r\n")

    def _line(self) -> bytes:
        line = b""
        while not line.endswith(b"\r\n"):
            byte = self._socket.recv(1)
            if not byte or len(line) > 1024:
                raise ConnectionError("the bus hung up in the middle of its greeting")
            line += byte
        return line[:-2]

    def _message(self, ends: float) -> Message:
        start = self._exactly(16, ends)
        header, body = sizes(start)
        return decode(start + self._exactly(header + body - 16, ends))

    def _exactly(self, size: int, ends: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no answer on the bus within {self.seconds:g} s")
            self._socket.settimeout(left)
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("the bus hung up")
            data += piece
        return bytes(data)
