"""The D-Bus client against a real, private dbus-daemon, and against hostile bytes."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.base.process import end, spawn
from validate.guest.dbus import BUS, CALL, Address, BusError, Connection, decode, encode
from validate.guest.wire import LIMIT, Reader, WireError, Writer

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/>
<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>
<allow own="org.probe.Mine"/>
<allow user="*"/></policy></busconfig>
"""


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    if shutil.which("dbus-daemon") is None:
        pytest.skip("no dbus-daemon on this host; the machine has one in any case")
    path = tmp_path / "bus"
    (tmp_path / "conf").write_text(CONFIGURATION.format(socket=path))
    process = spawn(["dbus-daemon", f"--config-file={tmp_path / 'conf'}", "--nofork", "--print-address=1"])
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"unix:")  # printed once it listens
        yield str(path)
    finally:
        end(process)
        process.communicate()


def test_calls_and_named_errors(bus: str) -> None:
    with Connection(bus) as connection:
        assert connection.name.startswith(":1.")
        assert connection.bus("NameHasOwner", "s", connection.name) == (True,)
        assert connection.bus("GetConnectionUnixUser", "s", connection.name) == (os.geteuid(),)
        (names,) = connection.bus("ListNames")
        assert isinstance(names, list)
        assert "org.freedesktop.DBus" in names
        assert connection.bus("RequestName", "su", "org.probe.Mine", 4) == (1,)
        with pytest.raises(BusError) as denied:
            connection.bus("RequestName", "su", "org.probe.Other", 4)
        assert denied.value.name == "org.freedesktop.DBus.Error.AccessDenied"
        with pytest.raises(BusError) as unknown:
            connection.call(Address("org.probe.Nobody", "/", "org.probe"), "Ping")
        assert unknown.value.name == "org.freedesktop.DBus.Error.ServiceUnknown"


def test_a_long_argument_goes_through(bus: str) -> None:
    with Connection(bus) as connection, pytest.raises(BusError) as error:
        connection.bus("GetNameOwner", "s", "x" * 100_000)
    assert "Error" in error.value.name


def test_no_answer_ends_by_the_clock(bus: str) -> None:
    with Connection(bus) as silent, Connection(bus, seconds=0.3) as connection, pytest.raises(TimeoutError):
        connection.call(Address(silent.name, "/", "org.probe"), "Ping")


def hang_up(listener: socket.socket) -> None:
    listener.accept()[0].close()


def test_a_bus_that_hangs_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "bus"))
        listener.listen(1)
        threading.Thread(target=hang_up, args=(listener,), daemon=True).start()
        with pytest.raises(ConnectionError):
            Connection(str(tmp_path / "bus"), seconds=2)


VALUES = [("s", "häß"), ("b", True), ("u", 4_000_000_000), ("i", -5), ("as", ["a", ""]), ("x", -(1 << 60)), ("d", 0.5)]


def test_round_trip() -> None:
    signature, values = "".join(code for code, _ in VALUES), tuple(value for _, value in VALUES)
    fields: dict[int, object] = {1: BUS[1], 2: BUS[2], 3: "Hello", 6: BUS[0]}
    message = decode(encode(CALL, 7, fields, signature, values))
    assert (message.kind, message.values()) == (CALL, values)
    assert message.fields[3] == "Hello"


@pytest.mark.parametrize("signature", ["v", "a{sv}", "(s)", "aas", "a", "h?"])
def test_unread_signatures_are_refused(signature: str) -> None:
    with pytest.raises(WireError):
        Reader(b"\0" * 64).values(signature)


def test_strings_that_cannot_be_carried() -> None:
    for text in ("a\0b", "x" * (LIMIT + 1)):
        with pytest.raises(WireError):
            Writer().put("s", text)


@given(st.binary(min_size=16, max_size=200))
def test_hostile_messages_end_in_an_error_or_a_message(data: bytes) -> None:
    with suppress(WireError):
        decode(b"l" + data[1:]).values()


@given(st.binary(max_size=200), st.sampled_from(["s", "as", "au", "b", "ay", "g", "sss"]))
def test_hostile_bodies(data: bytes, signature: str) -> None:
    with suppress(WireError):
        Reader(data).values(signature)
