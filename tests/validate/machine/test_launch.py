"""What a machine is started with: nothing with a name, nothing that others can read, nothing left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest

from results.base.errors import InfrastructureError
from results.base.events import Events
from validate.machine import launch
from validate.machine.firmware import find_firmware
from validate.machine.machine import forwarded_port, open_connections
from validate.machine.requirements import REQUIREMENTS, Requirement, missing


@pytest.fixture(autouse=True)
def own_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_anonymous_files_hold_their_content() -> None:
    fd = launch.anonymous("x", b"secret")
    assert os.read(fd, 100) == b"secret"
    assert os.fstat(fd).st_nlink == 0
    os.close(fd)


def test_the_scratch_folder_is_private(tmp_path: Path) -> None:
    folder = launch.scratch_folder()
    assert folder.parent == tmp_path
    assert folder.stat().st_mode & 0o777 == 0o700
    assert launch.scratch_folder() == folder


@pytest.mark.parametrize("trap", ["open", "link", "file"])
def test_somebody_elses_folder_is_not_used(tmp_path: Path, trap: str) -> None:
    place = tmp_path / f"dots-family-{os.geteuid()}"
    if trap == "open":
        place.mkdir(mode=0o777)
        place.chmod(0o777)
    elif trap == "link":
        place.symlink_to("/tmp")
    else:
        place.touch()
    with pytest.raises(InfrastructureError, match="not a private folder of ours"):
        launch.scratch_folder()


def test_only_dead_overlays_are_swept() -> None:
    folder = launch.scratch_folder()
    dead, living, other = (folder / name for name in ("overlay-dead", "overlay-living", "something"))
    for path in (dead, living, other):
        path.touch()
    with living.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        launch.sweep(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["overlay-living", "something"]


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="the VM tier tells what to install")
def test_an_overlay_has_no_name(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(1 << 20))
    fd = launch.open_overlay(image, Events())
    assert os.pread(fd, 4, 0) == b"QFI\xfb"
    assert os.fstat(fd).st_nlink == 0
    assert list(launch.scratch_folder().iterdir()) == []
    os.close(fd)


def test_a_missing_image_leaves_no_overlay(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError):
        launch.open_overlay(tmp_path / "none.img", Events())
    assert list(launch.scratch_folder().iterdir()) == []


def test_user_ids_belong_to_nobody() -> None:
    assert launch.nobody_else() in launch.UNPRIVILEGED


def test_firmware_pairs_only(tmp_path: Path) -> None:
    assert find_firmware((str(tmp_path),)) is None
    for name in ("OVMF_CODE.fd", "OVMF_VARS.fd", "OVMF_CODE_4M.fd"):
        (tmp_path / name).touch()
    found = find_firmware((str(tmp_path),))
    assert found is not None
    assert found.code.name == "OVMF_CODE.fd"
    (tmp_path / "OVMF_VARS_4M.fd").touch()
    found = find_firmware((str(tmp_path),))
    assert found is not None
    assert found.variables.name == "OVMF_VARS_4M.fd"


def test_requirements_name_package_and_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(one.package and one.why for one in REQUIREMENTS)
    assert not Requirement("no-such-program", (), "p", "w").met
    assert Requirement("", ("/nonexistent", "/proc/self/status"), "p", "w").met
    monkeypatch.setattr("validate.machine.requirements.which", lambda _: None)
    monkeypatch.setattr("validate.machine.requirements.find_firmware", lambda: None)
    assert {one.package for one in missing()} == {"qemu-system-x86", "qemu-utils", "util-linux", "ovmf"}


def test_the_forwarded_port() -> None:
    table = (
        "Hub -1 (net):\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\n"
        "  TCP[ESTABLISHED]   29       127.0.0.1 40871       10.0.2.15    22     0     0\n"
        "  TCP[HOST_FORWARD]  18       127.0.0.1 40872       10.0.2.15    22     0     0\n"
    )
    assert forwarded_port(table) == 40872
    with pytest.raises(InfrastructureError, match="does not tell the port"):
        forwarded_port("nothing")


def test_the_connections_that_are_still_open() -> None:
    line = "  TCP[{}]    28       127.0.0.1 38773       10.0.2.15    22     0     0\r\n"
    over = "".join(line.format(state) for state in ("HOST_FORWARD", "TIME_WAIT", "CLOSED"))
    assert open_connections("Hub -1 (net):\r\n" + over) == []
    assert open_connections(over + line.format("FIN_WAIT_1") + line.format("ESTABLISHED")) == [
        "FIN_WAIT_1",
        "ESTABLISHED",
    ]
