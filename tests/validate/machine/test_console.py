"""Console: what lines tell, whatever bytes they come in."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validate.machine.console import FATAL, LINE_LIMIT, TAIL_LINES, Console, Line, Reader, Said, classify, clean

LINES = [
    ("[\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mmulti-user.target\x1b[0m - Multi-User System.", Said.READY),
    ("[  OK  ] Reached target Multi-User System.", Said.READY),
    ("[  OK  ] Stopped target multi-user.target - Multi-User System.", None),
    ("         Starting ssh.service - OpenBSD Secure Shell server...", Said.SSH),
    ("[  OK  ] Listening on sshd-unix-local.socke…temd-ssh-generator, AF_UNIX Local).", None),
    ("[  OK  ] Started ssh.service - OpenBSD Secure Shell server.", Said.SSH),
    ("[    1.5] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", Said.PANIC),
    ('You are in emergency mode. After logging in, type "journalctl -xb"', Said.EMERGENCY),
    ("[  OK  ] Reached target emergency.target - Emergency Mode.", Said.EMERGENCY),
    ("You are in rescue mode.", Said.RESCUE),
    ("(initramfs) ", Said.INITRAMFS),
    ("ALERT!  PARTUUID=1234 does not exist.  Dropping to a shell!", Said.INITRAMFS),
    ("BdsDxe: No bootable option or device was found.", Said.NO_BOOT),
    ('BdsDxe: starting Boot0001 "EFI Internal Shell" from Fv(7CB8)', Said.NO_BOOT),
    ("vm login: ", Said.LOGIN),
    ("a: b login: c", None),
    ("[  OK  ] Reached target basic.target - Basic System.", None),
]


@pytest.mark.parametrize(("line", "said"), LINES)
def test_lines(line: str, said: Said | None) -> None:
    assert classify(clean(line).rstrip()) is said


def test_ready_and_trouble_are_told_apart() -> None:
    assert not {Said.READY, Said.SSH, Said.LOGIN} & FATAL


def test_a_prompt_needs_no_end_of_line_and_is_told_once() -> None:
    reader = Reader()
    assert [said for said, _ in reader.feed(b"\r\n(initramfs) ")] == [Said.INITRAMFS]
    assert reader.feed(b"x") == []
    assert reader.tail(1) == "(initramfs) x"


@given(st.binary(max_size=5000), st.lists(st.integers(1, 200), max_size=40))
def test_any_bytes_in_any_pieces(raw: bytes, cuts: list[int]) -> None:
    whole, pieces = Reader(), Reader()
    whole.feed(raw + b"\n")
    rest = raw + b"\n"
    for cut in cuts:
        pieces.feed(rest[:cut])
        rest = rest[cut:]
    pieces.feed(rest)
    assert pieces.tail(TAIL_LINES) == whole.tail(TAIL_LINES)
    assert all(char.isprintable() or not char.isascii() or char in "\t\n" for char in whole.tail(TAIL_LINES))


@given(st.integers(1, 60), st.sampled_from([line for line in LINES if line[1]]))
def test_what_is_told_does_not_depend_on_the_pieces(size: int, line: tuple[str, Said]) -> None:
    reader = Reader()
    raw = f"noise\r\n{line[0]}\r\nmore\n".encode()
    told = [one for at in range(0, len(raw), size) for one in reader.feed(raw[at : at + size])]
    assert [said for said, _ in told] == [line[1]]


def test_memory_is_bounded() -> None:
    reader = Reader()
    for _ in range(100):
        reader.feed(b"x" * 100_000)
    assert len(reader.tail(TAIL_LINES)) <= LINE_LIMIT
    for _ in range(100):
        reader.feed(b"line\n" * 1000)
    assert len(reader.lines) == TAIL_LINES


def test_the_log_has_every_byte_of_every_boot(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    for boot in (b"\x00first\xff\r\n", b"Reached target multi-user.target\n"):
        heard: list[Line] = []
        ours, theirs = socket.socketpair()
        console = Console(ours, log, heard.append)
        console.start()
        theirs.sendall(boot)
        theirs.close()
        console.close()
    assert log.read_bytes() == b"\x00first\xff\r\nReached target multi-user.target\n"
    assert [line.said for line in heard] == [Said.READY]
    assert heard[0].at <= time.monotonic()
