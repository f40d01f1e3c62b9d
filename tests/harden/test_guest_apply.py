"""The script on a root folder of its own: broken off at every step, it ends hardened or exactly as before."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harden.guest import activate, before, former
from harden.guest import harden_production_security as script
from harden.guest import manifest as manifests
from harden.guest.manifest import Manifest
from harden.guest.system import BrokenError

CONTENTS = {"etc/new.d/a.conf": b"new\n", "etc/old.conf": b"hardened\n", "etc/deep/er/b.conf": b"x\n"}
CHANGING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.chown")
STEPS = 90
"""More than there are; the tests prove that."""


class Machine:
    """A machine below a folder, and a bundle for it."""

    def __init__(self, folder: Path) -> None:
        self.root, self.here, self.state = folder / "root", folder / "bundle", folder / "root/var/state"
        (self.root / "etc").mkdir(parents=True)
        (self.root / "var").mkdir()
        (self.root / "etc/old.conf").write_bytes(b"former\n")
        (self.root / "etc/old.conf").chmod(0o604)
        me = {"owner": "root", "group": "root", "mode": "0640"}
        files = []
        for name, content in CONTENTS.items():
            path = self.root / name
            source = self.here / "files" / path.relative_to("/")
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_bytes(content)
            files.append({"path": str(path), "sha256": hashlib.sha256(content).hexdigest(), **me})
        data: dict[str, Any] = {
            "schema": 1,
            "kernel_parameters": [],
            "units": ["x.service"],
            "templates": [],
            "accounts": [],
        }
        data |= {"kept": [], "tuning": "/nothing", "files": files}
        (self.here / "manifest.json").write_text(json.dumps(data), encoding="utf-8")

    def upgrade(self) -> None:
        """Another version of the bundle: one file changes, one is new."""
        data = json.loads((self.here / "manifest.json").read_text(encoding="utf-8"))
        me = {"owner": "root", "group": "root", "mode": "0640"}
        for name, content in (("etc/old.conf", b"newer\n"), ("etc/fresh/c.conf", b"c\n")):
            path = self.root / name
            source = self.here / "files" / path.relative_to("/")
            source.parent.mkdir(parents=True, exist_ok=True)
            source.write_bytes(content)
            data["files"] = [one for one in data["files"] if one["path"] != str(path)]
            data["files"].append({"path": str(path), "sha256": hashlib.sha256(content).hexdigest(), **me})
        (self.here / "manifest.json").write_text(json.dumps(data), encoding="utf-8")

    def seen(self) -> dict[str, tuple[int, bytes]]:
        """Everything but the state that the script keeps."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            if not path.is_relative_to(self.root / "var"):
                info = path.lstat()
                content = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
                found[str(path)] = (stat.S_IMODE(info.st_mode), content)
        return found


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    if os.geteuid() != 0:
        pytest.skip("needs root, for files of root")
    made = Machine(tmp_path)
    for module in (manifests, former, script):
        monkeypatch.setattr(module, "STATE", made.state)
    monkeypatch.setattr(script, "AGAIN", made.state / "again")
    for name in ("complete", "progress", "ballast", "again"):
        monkeypatch.setattr(former, name.upper(), made.state / name)
    monkeypatch.setattr(script, "COMPLETE", made.state / "complete")
    monkeypatch.setattr(script, "HERE", made.here)
    for name in ("sync", "fsync"):  # the disk of the tests' host is none of theirs
        monkeypatch.setattr(os, name, lambda *_words: None)
    monkeypatch.setattr(script, "LOCK", str(tmp_path / "lock"))
    monkeypatch.setattr(former, "GENERATED", ())
    for module in (former, activate):
        monkeypatch.setattr(module, "LOADER_ENTRIES", tmp_path / "loader")

    def run(*argv: str, check: bool = True, timeout: float = 0) -> subprocess.CompletedProcess[str]:
        sys.audit("fake.run", argv)
        return subprocess.CompletedProcess(argv, 0, "active\n" if "is-active" in argv and "x.service" in argv else "")

    for module in (former, activate):
        monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(script, "prerequisites", lambda _manifest: None)
    monkeypatch.setattr(script, "validate", lambda _manifest: None)
    return made


def in_child(work: Callable[[], int], hook: Callable[[str, tuple[Any, ...]], None] | None = None) -> int:
    """Status of `work` in a process of its own; an audit hook cannot be taken out again."""
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            if hook:
                sys.addaudithook(hook)
            status = work()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def writes(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "open":
        return isinstance(arguments[2], int) and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
    return event in (*CHANGING, "fake.run")


def at(step: int, action: Callable[[], None]) -> Callable[[str, tuple[Any, ...]], None]:
    seen = [0]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if writes(event, arguments):
            seen[0] += 1
            if seen[0] == step:
                action()

    return hook


def apply() -> int:
    return script.main(["apply"])


def hardened(machine: Machine) -> bool:
    return all((machine.root / name).read_bytes() == content for name, content in CONTENTS.items())


def test_applies_and_reverts_to_the_very_same(machine: Machine) -> None:
    former_state = machine.seen()
    assert in_child(apply) == 0
    assert hardened(machine)
    assert in_child(apply) == 0
    assert in_child(lambda: script.main(["revert"])) == 0
    assert machine.seen() == former_state
    assert not machine.state.exists()


@pytest.mark.parametrize("step", range(1, STEPS))
def test_killed_at_any_step(machine: Machine, step: int) -> None:
    former_state = machine.seen()
    status = in_child(apply, at(step, lambda: os.kill(os.getpid(), signal.SIGKILL)))
    if status == 0:
        assert step > 30, "the steps are not counted"
        assert hardened(machine)
        return
    assert status == -signal.SIGKILL
    in_child(lambda: script.main(["revert"]))  # it says so when there is nothing to take back
    assert machine.seen() == former_state
    assert in_child(apply) == 0
    assert hardened(machine)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("step", range(1, STEPS, 2))
def test_a_signal_at_any_step(machine: Machine, step: int, number: signal.Signals) -> None:
    former_state = machine.seen()
    status = in_child(apply, at(step, lambda: os.kill(os.getpid(), number)))
    if status == 0:
        assert hardened(machine)
    else:
        assert status in (1, 2)
        assert machine.seen() == former_state
        assert not machine.state.exists()


@pytest.mark.parametrize("step", range(1, STEPS, 3))
def test_killed_while_it_restores(machine: Machine, step: int) -> None:
    former_state = machine.seen()
    assert in_child(apply) == 0
    in_child(lambda: script.main(["revert"]), at(step, lambda: os.kill(os.getpid(), signal.SIGKILL)))
    in_child(lambda: script.main(["revert"]))
    assert machine.seen() == former_state


@pytest.mark.parametrize("step", range(1, STEPS))
def test_a_disk_that_is_full_from_some_step_on(machine: Machine, step: int) -> None:
    former_state = machine.seen()
    seen = [0]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not writes(event, arguments):
            return
        seen[0] += 1
        if event == "os.remove" and "ballast" in str(arguments[0]):
            seen[0] = -10_000  # there is room again
        if seen[0] >= step and event in ("open", "os.mkdir") and str(machine.root) in str(arguments[0]):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    status = in_child(apply, hook)
    if status == 0:
        assert hardened(machine)
    else:
        assert status in (1, 2)
        assert machine.seen() == former_state


def test_a_failed_second_apply_goes_back_to_the_state_before_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    former_state = machine.seen()
    assert in_child(apply) == 0
    first, kept = machine.seen(), (machine.state / "manifest.json").read_bytes()
    machine.upgrade()

    def sick(_manifest: Manifest, _instances: list[str]) -> None:
        raise BrokenError("the product does not come up")

    with monkeypatch.context() as patch:
        patch.setattr(script, "activate", sick)
        assert in_child(apply) == 1
    assert machine.seen() == first
    assert (machine.state / "manifest.json").read_bytes() == kept
    assert in_child(apply) == 0
    assert (machine.root / "etc/old.conf").read_bytes() == b"newer\n"
    assert in_child(lambda: script.main(["revert"])) == 0
    assert machine.seen() == former_state


@pytest.mark.parametrize("step", range(1, STEPS, 4))
def test_a_second_apply_killed_at_any_step(machine: Machine, step: int) -> None:
    former_state = machine.seen()
    assert in_child(apply) == 0
    first = machine.seen()
    machine.upgrade()
    if in_child(apply, at(step, lambda: os.kill(os.getpid(), signal.SIGKILL))) == 0:
        assert step > 30, "the steps are not counted"
    elif in_child(former.recover):
        assert machine.seen() == first
    assert in_child(apply) == 0
    assert (machine.root / "etc/fresh/c.conf").read_bytes() == b"c\n"
    assert in_child(lambda: script.main(["revert"])) == 0
    assert machine.seen() == former_state
    assert not machine.state.exists()


def test_the_second_at_once_changes_nothing(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    former_state = machine.seen()
    with Path(script.LOCK).open("w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert in_child(apply) == 2
    assert machine.seen() == former_state


def test_a_product_that_does_not_come_up_brings_the_former_state(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    former_state = machine.seen()

    def sick(_manifest: Manifest, _instances: list[str]) -> None:
        raise BrokenError("the product does not come up")

    monkeypatch.setattr(script, "activate", sick)
    assert in_child(apply) == 1
    assert machine.seen() == former_state


def test_a_machine_without_apparmor_is_refused_unless_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _program: None)
    full = manifests.load(machine.here)
    told = "; ".join(before._lacking(full))
    assert "--without apparmor" in told
    assert "--without audit" in told
    assert "--without network" in told
    less = "; ".join(before._lacking(full.less(("apparmor", "audit", "network"))))
    assert "--without" not in less


def told(text: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    return lambda *argv, check=True, timeout=0: subprocess.CompletedProcess(argv, 0, text)  # noqa: ARG005


@pytest.mark.parametrize(
    ("text", "stranger"),
    [
        ("ExecStart=/usr/bin/x --serve\n", ""),
        ("ExecStart=-!/usr/bin/x\n", ""),
        ("ExecStart=/usr/bin/y\nExecStart=\nExecStart=/usr/bin/x\n", ""),
        ("", ""),
        ("ExecStart=/opt/other/x --serve\n", "/opt/other/x"),
        ("ExecStart=/usr/bin/x\nExecStart=\nExecStart=/bin/sh -c x\n", "/bin/sh"),
        ("ExecStart=/usr/bin/x\nExecStart=/usr/bin/y\n", "/usr/bin/x, /usr/bin/y"),
    ],
)
def test_a_unit_of_another_vendor_is_a_stranger(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, text: str, stranger: str
) -> None:
    monkeypatch.setattr(before, "run", told(text))
    manifest = dataclasses.replace(manifests.load(machine.here), programs={"x.service": "/usr/bin/x"})
    found = "; ".join(before._strangers(manifest))
    assert (f"starts {stranger}, not /usr/bin/x" in found) if stranger else not found


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ([], ("apply", (), False)),
        (["--dry-run"], ("apply", (), True)),
        (["apply", "--without", "audit"], ("apply", ("audit",), False)),
        (["complain"], ("complain", (), False)),
        (["--without"], None),
        (["--without", "seccomp"], None),
        (["revert", "--dry-run"], None),
        (["apply", "revert"], None),
    ],
)
def test_words(words: list[str], asked: object) -> None:
    assert script.parse(words) == asked
