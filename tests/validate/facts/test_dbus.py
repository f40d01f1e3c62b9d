"""Who owns which name, asked of a bus that is played here."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from validate.facts.guest import dbus
from validate.facts.guest.context import Commands, Context, CouldNotLookError, Reader
from validate.guest.dbus import Address, BusError, Connection

BUS = {"name": "org.x", "path": "/org/x"}
POLICY = '<busconfig><policy user="x"><allow own="org.x"/></policy></busconfig>'
XML = '<node><interface name="org.x"><method name="Ping"/></interface></node>'


class Played:
    """Answers like a bus with one service and one name that left."""

    def bus(self, member: str, signature: str = "", *arguments: object) -> tuple[object, ...]:
        assert len(signature) == len(arguments)
        if member == "ListNames":
            return (["org.x", ":1.5", "org.gone"],)
        if arguments == ("org.gone",):
            raise BusError("org.freedesktop.DBus.Error.NameHasNoOwner", "gone")
        return {"GetNameOwner": (":1.5",), "GetConnectionUnixProcessID": (7,)}.get(member, (1000,))

    def call(self, to: Address, member: str) -> tuple[object, ...]:
        assert (to.destination, member) == (":1.5", "Introspect")  # the name itself would start the service
        return (XML,)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    for path, text in {
        "etc/passwd": "kim:x:1000:1000::/:/bin/sh\n",
        "etc/group": "",
        "proc/7/cgroup": "0::/system.slice/x.service\n",
        "usr/share/dbus-1/system.d/broken.conf": "<busconfig",
        "usr/share/dbus-1/system-services/org.x.service": "[D-BUS Service]\nName=org.x\nUser=root\nExec=/bin/false\n",
        "usr/share/dbus-1/system-services/odd.service": "nonsense",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return Context(Reader(str(tmp_path)), Commands(), {"product": {"bus": BUS}})


def test_names_and_members(context: Context) -> None:
    bus = cast("Connection", Played())
    owned = dbus.names(context, bus)
    assert owned == {"org.x": {"pid": 7, "uid": 1000, "user": "kim", "unit": "x.service"}}
    assert dbus.members(context, bus, owned) == {"org.x": ["Ping"]}
    with pytest.raises(CouldNotLookError, match="nobody owns"):
        dbus.members(context, bus, {})


def test_without_a_bus_its_files_are_told_all_the_same(context: Context) -> None:
    found = dbus.collect(context)["dbus"]
    assert found["activation"]["org.x"]["user"] == "root"
    assert "names" not in found
    assert {"dbus.names", "dbus.members", "dbus.policies"} <= set(context.errors)


def test_on_nixos_the_generated_file_names_the_folders(tmp_path: Path) -> None:
    package = "/nix/store/1a-org.x.conf"
    for path, text in {
        "etc/dbus-1/system.conf": f"""<?xml version="1.0"?>
<!DOCTYPE busconfig SYSTEM "busconfig.dtd">
<busconfig><servicedir>{package}/share/dbus-1/system-services</servicedir>
<includedir>{package}/etc/dbus-1/system.d</includedir>
<includedir>{package}/share/dbus-1/system.d</includedir></busconfig>""",
        f"{package}/share/dbus-1/system.d/org.x.conf": POLICY,
        f"{package}/share/dbus-1/system-services/org.x.service": "[D-BUS Service]\nName=org.x\nUser=x\n",
    }.items():
        (tmp_path / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path.lstrip("/")).write_text(text)
    context = Context(Reader(str(tmp_path)), Commands(), {"product": {"bus": {"name": "org.x", "path": "/org/x"}}})
    files = dbus.policies(context)
    assert [one["file"] for one in files] == [
        "/etc/dbus-1/system.conf",
        f"{package}/share/dbus-1/system.d/org.x.conf",
    ]
    assert dbus.product_rules(context, files)[0]["attributes"] == {"own": "org.x"}
    assert dbus.activations(context.reader)["org.x"]["user"] == "x"


def test_an_activation_file_counts_by_its_one_section() -> None:
    text = (
        "# Name=no\n[Other]\nName=no\n[D-BUS Service]\n Name = org.x \n#User=no\nExec=/bin/x --a=b\n[Last]\nUser=no\n"
    )
    assert dbus.parse_service(text) == {"Name": "org.x", "Exec": "/bin/x --a=b"}
    assert dbus.parse_service("Name=org.x\n") == {}
