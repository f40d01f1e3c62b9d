"""QEMU's arguments are a pure function of settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from validate.machine.qemu import EMULATED_CPU, Descriptors, Hardware, arguments, unprivileged

FDS = Descriptors(image=10, overlay=11, variables=12, console=13, qmp=14, strings=(15, 16))


def value(argv: list[str], option: str) -> list[str]:
    return [argv[at + 1] for at, word in enumerate(argv) if word == option]


@pytest.mark.parametrize(
    ("hardware", "accel", "cpu"),
    [
        (Hardware("kvm"), "kvm", "host"),
        (Hardware("tcg"), "tcg,thread=multi", EMULATED_CPU),
        (Hardware("tcg", cpus=1, deterministic=True), "tcg,thread=single", EMULATED_CPU),
    ],
)
def test_accelerators(hardware: Hardware, accel: str, cpu: str) -> None:
    argv = arguments("x", hardware, Path("/fw/code.fd"), FDS)
    assert (value(argv, "-accel"), value(argv, "-cpu")) == ([accel], [cpu])
    assert value(argv, "-icount") == (["shift=1,sleep=on"] if hardware.deterministic else [])


def test_the_image_is_read_only_and_nothing_but_firmware_goes_by_path() -> None:
    argv = arguments("x", Hardware("tcg"), Path("/fw/co,de.fd"), FDS)
    nodes = value(argv, "-blockdev")
    assert [node for node in nodes if "node-name=image" in node] == [
        "driver=raw,node-name=image,read-only=on,file.driver=file,file.aio=threads,file.filename=/dev/fdset/2"
    ]
    assert any("file.filename=/fw/co,,de.fd" in node and "read-only=on" in node for node in nodes)
    assert not [word for word in argv if "/tmp" in word or "/home" in word or "/var" in word]


def test_both_files_of_the_disk_are_waited_for_in_the_same_way() -> None:
    nodes = value(arguments("x", Hardware("tcg"), Path("/c"), FDS, "io_uring"), "-blockdev")
    waits = [node.partition("file.aio=")[2].partition(",")[0] for node in nodes if "file.aio=" in node]
    assert waits == ["io_uring", "io_uring"]


def test_the_guest_reaches_nothing_and_only_loopback_reaches_it() -> None:
    (network,) = value(arguments("x", Hardware("tcg"), Path("/c"), FDS), "-netdev")
    assert network == "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:0-:22"


def test_qemu_is_confined_and_bare() -> None:
    argv = arguments("x", Hardware("kvm"), Path("/c"), FDS)
    assert {"-nodefaults", "-no-user-config"} <= set(argv)
    assert value(argv, "-sandbox") == ["on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
    assert value(argv, "-smbios") == ["type=11,path=/proc/self/fd/15", "type=11,path=/proc/self/fd/16"]


def test_every_descriptor_is_handed_down_once() -> None:
    assert sorted(FDS.all) == [10, 11, 12, 13, 14, 15, 16]


def test_root_gives_everything_up_and_dies_with_its_parent() -> None:
    argv = unprivileged(["qemu"], uid=61184, groups=(104,))
    assert argv[: argv.index("--")] == [
        *("setpriv", "--reuid", "61184", "--regid", "61184", "--groups", "104"),
        *("--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "--pdeathsig", "KILL"),
    ]
    assert "--clear-groups" in unprivileged(["qemu"], uid=61184, groups=())
