"""The script that breaks a machine, on folders that stand for one."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from harden.sabotage import ACTIONS, Sabotage
from harden.sabotages import sabotages
from validate.falsify.guest import live, saboteur
from validate.guest.bundle import closure
from validate.plan import Plan


def spoil(root: Path, *actions: dict[str, Any]) -> list[str]:
    """Do it under `root`; what went wrong."""
    one = Sabotage("a.b", ACTIONS.validate_python(actions))
    return [line["what"] for line in saboteur.main({"changes": one.to_json(), "then": []}, str(root))["troubles"]]


def file(root: Path, path: str, content: str, mode: int = 0o644) -> Path:
    made = root / path.lstrip("/")
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text(content)
    made.chmod(mode)
    return made


def test_the_script_knows_every_kind_that_a_control_can_name(plan: Plan) -> None:
    named = {change["do"] for one in sabotages(plan.catalogue, plan.described, plan.tree) for change in one.to_json()}
    assert named <= saboteur.KINDS.keys()
    shapes = ACTIONS.json_schema()["$defs"].values()
    assert {shape["properties"]["do"]["const"] for shape in shapes} == saboteur.KINDS.keys()
    assert set(live.LATE) <= saboteur.KINDS.keys()


def test_files_are_replaced_whole_and_keep_their_mode(tmp_path: Path) -> None:
    program = file(tmp_path, "/usr/bin/x", "Ping Pong Ping", 0o755)
    running = os.open(program, os.O_RDONLY)
    try:
        assert not spoil(tmp_path, {"do": "garble", "path": "/usr/bin/x", "text": "Ping"})
        assert program.read_text() == "Xing Pong Xing"
        assert stat.S_IMODE(program.stat().st_mode) == 0o755
        assert os.read(running, 100) == b"Ping Pong Ping"  # who runs from it goes on
    finally:
        os.close(running)


def test_changes_of_files(tmp_path: Path) -> None:
    group = file(tmp_path, "/etc/group", "old:x:1:\n")
    file(tmp_path, "/var/log/journal/id/system.journal", "")
    options = file(tmp_path, "/boot/efi/loader/entries/a.conf", "title x\noptions root=/dev/x a=1 quiet\n")
    assert not spoil(
        tmp_path,
        {"do": "edit", "path": "/etc/group", "old": "old:", "new": "new:"},
        {"do": "write", "path": "/etc/a/b", "content": "c", "mode": "0600"},
        {"do": "append", "path": "/etc/a/b", "content": "d"},
        {"do": "remove", "path": "/var/log/journal"},
        {"do": "kernel_words", "remove": ["a=1"], "add": ["b=0"]},
        {"do": "drop_in", "unit": "x@.service", "directives": {"PrivateTmp": "no", "User": "root"}},
        {"do": "chmod", "path": "/etc/g*", "mode": "0664"},
    )
    assert group.read_text() == "new:x:1:\n"
    assert stat.S_IMODE(group.stat().st_mode) == 0o664
    assert (tmp_path / "etc/a/b").read_text() == "cd"
    assert stat.S_IMODE((tmp_path / "etc/a/b").stat().st_mode) == 0o600
    assert not (tmp_path / "var/log/journal").exists()
    assert options.read_text() == "title x\noptions root=/dev/x quiet b=0\n"
    dropin = tmp_path / "etc/systemd/system/x@.service.d/zz-falsify.conf"
    assert dropin.read_text() == "[Service]\nPrivateTmp=no\nUser=root\n"


def test_accounts(tmp_path: Path) -> None:
    passwd = file(tmp_path, "/etc/passwd", "root:*:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/usr/sbin/nologin\n")
    shadow = file(tmp_path, "/etc/shadow", "root:*:1::::::\ndaemon:!:1::::::\n", 0o640)
    group = file(tmp_path, "/etc/group", "adm:x:4:pat\nempty:x:5:\n")
    change = {"do": "account", "user": "daemon", "password": "", "shell": "/bin/sh", "group": "adm"}
    assert not spoil(tmp_path, change, {"do": "account", "user": "root", "group": "empty"})
    assert passwd.read_text() == "root:*:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/sh\n"
    assert shadow.read_text() == "root:*:1::::::\ndaemon::1::::::\n"
    assert stat.S_IMODE(shadow.stat().st_mode) == 0o640
    assert group.read_text() == "adm:x:4:pat,daemon\nempty:x:5:root\n"


def test_a_setting_that_the_kernel_keeps_is_said_and_waits_for_the_next_boot(tmp_path: Path) -> None:
    setting = file(tmp_path, "/proc/sys/kernel/x", "2\n")
    assert not spoil(tmp_path, {"do": "sysctl", "name": "kernel.x", "values": ["2", "1"]})
    assert setting.read_text() == "1"
    (said,) = spoil(tmp_path, {"do": "sysctl", "name": "kernel.x", "values": ["1"]})
    assert "takes no other value" in said
    assert (tmp_path / live.SETTINGS.lstrip("/")).read_text() == "kernel.x = 1\nkernel.x = 1\n"


def test_what_cannot_be_done_is_told_and_does_not_stop_the_rest(tmp_path: Path) -> None:
    told = spoil(
        tmp_path,
        {"do": "edit", "path": "/etc/none", "old": "x", "new": "y"},
        {"do": "chmod", "path": "/etc/none*", "mode": "0666"},
        {"do": "account", "user": "nobody", "shell": "/bin/sh"},
        {"do": "kernel_words", "add": ["x"]},
        {"do": "write", "path": "/etc/x", "content": ""},
    )
    assert [line.split(":")[0] for line in told] == ["edit", "kernel_words", "chmod", "account"]
    assert (tmp_path / "etc/x").exists()


def test_few_processes_bring_a_group_into_force() -> None:
    wanted = [
        "daemon-reload",
        "restart a.service",
        "profile /p",
        "reload dbus.service",
        "restart b@*.service",
        "profile /q",
    ]
    assert saboteur.steps(wanted) == [
        ["apparmor_parser", "--replace", "/p", "/q"],
        ["systemctl", "daemon-reload"],
        ["systemctl", "reload", "dbus.service"],
        ["systemctl", "restart", "a.service", "b@*.service"],
    ]
    assert saboteur.steps(["reload dbus.service", "restart systemd-journald.service"]) == [
        ["systemctl", "restart", "systemd-journald.service"],
        ["systemctl", "reload", "dbus.service"],
    ]
    assert saboteur.steps([]) == []


@pytest.mark.parametrize("name", sorted(closure(["validate.falsify.guest.saboteur"])))
def test_only_the_standard_library_is_sent(name: str) -> None:
    assert name.startswith(("validate.falsify.guest.", "validate.guest."))
