"""The kernel's audit records of what this process has just done. Standard library only; root."""

from __future__ import annotations

import os
import socket
import struct
import uuid

from validate.guest import system

LOG = "/var/log/audit/audit.log"
NETLINK_AUDIT, AUDIT_USER, NLM_F_REQUEST_ACK = 9, 1005, 5
LIMIT = 4 << 20


def size() -> int:
    """Where the log ends now; 0 when there is none."""
    try:
        return os.stat(LOG).st_size  # noqa: PTH116 - os throughout, it is sent to old Pythons too
    except OSError:
        return 0


def mark() -> str:
    """Write a record of our own, which comes after all records of what we did before; its text. Raises `OSError`."""
    text = f"dots-probe-{uuid.uuid4().hex}"
    body = text.encode() + b"\0"
    head = struct.pack("<IHHII", 16 + len(body), AUDIT_USER, NLM_F_REQUEST_ACK, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT) as link:
        link.settimeout(3)
        link.sendto(head + body, (0, 0))
        answer = link.recv(4096)
    number = struct.unpack("<i", answer[16:20])[0]
    if number:
        raise OSError(-number, os.strerror(-number))
    return text


def records_since(start: int, *, seconds: float) -> tuple[list[str], bool]:
    """Lines of the log from `start` up to a mark made now, and whether the mark came in time."""
    try:
        text = mark()
    except OSError:
        text = ""

    def seen() -> str | None:
        try:
            with open(LOG, "rb") as file:  # noqa: PTH123
                file.seek(start if size() >= start else 0)  # smaller: it was rotated meanwhile
                found = file.read(LIMIT).decode(errors="backslashreplace")
        except OSError:
            return None
        return found if text and text in found else None

    found = system.until(seen, seconds=seconds if text else 0, every=0.05)
    return (found or "").splitlines(), found is not None


FIELDS = ("msg", "syscall", "success", "auid", "uid", "exe", "key")


def shortened(line: str) -> str:
    """The fields of a SYSCALL record that tell who did what."""
    words = line.replace("\x1d", " ").split(" ")
    return " ".join(word for word in words if word.split("=", 1)[0] in FIELDS)
