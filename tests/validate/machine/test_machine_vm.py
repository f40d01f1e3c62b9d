"""Real machines: ready, reboot, snapshots, and everything that a guest or a host can do to us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from results.base.errors import InfrastructureError
from results.base.events import Event, Events
from validate.machine.accelerator import Accelerator
from validate.machine.connect import WrongHostKeyError, connect_pinned
from validate.machine.credentials import public_line
from validate.machine.launch import scratch_folder
from validate.machine.machine import DiskImage, Limits, Machine, MachineSettings, machine

pytestmark = [pytest.mark.vm, pytest.mark.timeout(1500)]

ROOT = Path(__file__).resolve().parents[3]


def qemus(name: str) -> list[int]:
    """Process ids of machines called `name`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"qemu-system-x86_64") and f"guest=dots-family-{name}".encode() in words:
            found.append(int(path.parent.name))
    return found


def descriptors() -> set[str]:
    """What this process holds open."""
    targets = set()
    for path in Path("/proc/self/fd").iterdir():
        try:
            targets.add(f"{path.name} {path.readlink()}")
        except OSError:
            continue
    return {one for one in targets if "memfd" in one or "socket" in one or "overlay" in one}


@pytest.fixture(scope="module")
def booted(
    disk_image: DiskImage, accelerator: Accelerator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """One machine for all tests that put it back where it was, by the snapshot `fresh`."""
    before = descriptors()
    settings = MachineSettings(accelerator)
    folder = tmp_path_factory.mktemp("machine")
    with machine(disk_image, settings=settings, folder=folder, events=Events(), name="shared") as made:
        made.snapshot_save("fresh")
        yield made
    assert qemus("shared") == []
    assert descriptors() <= before
    assert "multi-user.target" in (folder / "console-shared.log").read_text(errors="replace")


@pytest.fixture
def fresh(booted: Machine) -> Machine:
    booted.snapshot_load("fresh")
    return booted


def test_ready_means_up_and_reached(fresh: Machine) -> None:
    boot = fresh.boots[0]
    lag = boot.seconds_to_ready - boot.seconds_to_console_ready
    assert boot.system_state in ("running", "degraded")
    assert fresh.session.run(["systemctl", "is-active", "multi-user.target"]).text == "active\n"
    assert 0 <= lag < fresh.accelerator.time_scale


def test_qemu_runs_without_privileges(booted: Machine) -> None:
    (pid,) = qemus("shared")
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert status["Uid"].split()[0] != "0"
    assert {status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert list(scratch_folder().glob("overlay-*")) == []


def test_another_host_key_is_rejected_by_a_real_guest(fresh: Machine) -> None:
    wrong = public_line(Ed25519PrivateKey.generate())
    with pytest.raises(WrongHostKeyError):
        connect_pinned(fresh.port, "root", fresh._key, wrong, timeout=60)


def test_another_client_key_is_refused_by_a_real_guest(fresh: Machine) -> None:
    transport = paramiko.Transport(("127.0.0.1", fresh.port))
    with pytest.raises(paramiko.AuthenticationException):
        transport.connect(username="root", password="")
    transport.close()


def test_scripts_and_a_megabyte_on_both_streams(fresh: Machine) -> None:
    script = "import sys; sys.stderr.write('e' * 2**20); RESULT = 'r' * ARGUMENT"
    assert len(fresh.session.python(script, 1 << 20)) == 1 << 20
    reply = fresh.session.run(["sh", "-c", "head -c 1048576 /dev/zero; head -c 1048576 /dev/zero >&2"])
    assert (len(reply.stdout), len(reply.stderr)) == (1 << 20, 1 << 20)


def test_a_snapshot_brings_the_disk_back(fresh: Machine) -> None:
    fresh.session.put("/root/later", b"x", 0o600)
    fresh.session.run(["sync"])
    fresh.snapshot_load("fresh")
    assert fresh.session.run(["ls", "/root/later"], check=False).status != 0


def test_ssh_dropped_by_the_guest_in_mid_command(fresh: Machine) -> None:
    with pytest.raises(InfrastructureError, match=r"dropped during `sh -c 'kill -9"):
        fresh.session.run(["sh", "-c", "kill -9 $PPID; sleep 60"], timeout=120)


def test_a_panic_ends_the_running_command_at_once(fresh: Machine) -> None:
    started = time.monotonic()
    with pytest.raises(InfrastructureError, match="kernel panic"):
        fresh.session.run(["sh", "-c", "echo 1 > /proc/sys/kernel/sysrq; echo c > /proc/sysrq-trigger"], timeout=300)
    assert time.monotonic() - started < 60
    assert "Kernel panic" in fresh.console_tail()


def test_two_machines_side_by_side(
    fresh: Machine, disk_image: DiskImage, accelerator: Accelerator, tmp_path: Path
) -> None:
    settings = MachineSettings(accelerator)
    with machine(disk_image, settings=settings, folder=tmp_path, events=Events(), name="other") as other:
        assert other.port != fresh.port
        assert other.boots[0].boot_id != fresh.boots[0].boot_id
        with pytest.raises(WrongHostKeyError):
            connect_pinned(
                other.port,
                "root",
                fresh._key,
                public_line(fresh._credentials.host),
                timeout=60 * accelerator.time_scale,
            )
        assert fresh.session.run(["id", "-un"]).text == other.session.run(["id", "-un"]).text == "root\n"
        (one,), (two,) = qemus("shared"), qemus("other")
        if os.geteuid() == 0:
            assert Path(f"/proc/{one}").stat().st_uid != Path(f"/proc/{two}").stat().st_uid
    assert qemus("other") == []


def test_rebooted_means_another_boot_id(fresh: Machine) -> None:
    before = len(fresh.boots)
    record = fresh.reboot()
    assert fresh.boots[before:] == [record]
    assert record.boot_id != fresh.boots[0].boot_id
    assert fresh.session.run(["cat", "/proc/sys/kernel/random/boot_id"]).text.strip() == record.boot_id


def test_emergency_mode_after_a_reboot(fresh: Machine) -> None:
    fresh.session.run(["systemctl", "set-default", "emergency.target"])
    with pytest.raises(InfrastructureError, match=r"reboot \d+: .*emergency mode") as caught:
        fresh.reboot()
    assert caught.value.evidence


def test_never_coming_back(fresh: Machine) -> None:
    """Last, because QEMU ends with the guest: a reboot that turns out to be a power-off."""
    fresh.session.run(["systemctl", "mask", "--runtime", "reboot.target"], check=False)
    fresh.session.run(["sh", "-c", "(sleep 1; systemctl poweroff) >/dev/null 2>&1 &"])
    with pytest.raises(InfrastructureError, match=r"powered itself off|QEMU ended"):
        fresh.reboot()


def refused(disk_image: DiskImage, settings: MachineSettings, folder: Path, name: str) -> InfrastructureError:
    """The error of a machine that never gets ready; nothing of it is left."""
    with (
        pytest.raises(InfrastructureError) as caught,
        machine(disk_image, settings=settings, folder=folder, events=Events(), name=name),
    ):
        raise AssertionError("it should not have become ready")
    assert qemus(name) == []
    return caught.value


def test_a_panic_while_booting(disk_image: DiskImage, accelerator: Accelerator, tmp_path: Path) -> None:
    settings = MachineSettings(accelerator, kernel_arguments=("init=/bin/true",), keep=True)
    error = refused(disk_image, settings, tmp_path, "panics")
    assert "boot: the guest is in trouble: kernel panic" in error.what
    assert "Kernel panic" in error.evidence
    kept = tmp_path / "overlay-panics.qcow2"  # by `keep`: the disk as the machine left it, for a look
    told = subprocess.run(["qemu-img", "info", "--force-share", str(kept)], capture_output=True, text=True, check=True)
    assert "file format: qcow2" in told.stdout


def test_a_hang_while_booting(disk_image: DiskImage, accelerator: Accelerator, tmp_path: Path) -> None:
    settings = MachineSettings(accelerator, kernel_arguments=("init=/bin/cat",), limits=Limits(console=10))
    error = refused(disk_image, settings, tmp_path, "hangs")
    assert "waiting for multi-user.target: not within" in error.what
    assert error.evidence


def test_a_disk_without_a_system(accelerator: Accelerator, tmp_path: Path) -> None:
    empty = tmp_path / "empty.img"
    empty.write_bytes(bytes(1 << 20))
    error = refused(DiskImage(empty, ""), MachineSettings(accelerator), tmp_path, "empty")
    assert "nothing to boot" in error.what


def test_a_missing_image(accelerator: Accelerator, tmp_path: Path) -> None:
    with (
        pytest.raises(InfrastructureError, match="No such file"),
        machine(
            DiskImage(tmp_path / "none", ""), settings=MachineSettings(accelerator), folder=tmp_path, events=Events()
        ),
    ):
        pass


def soon(true: Callable[[], bool], seconds: float) -> bool:
    """Whether it becomes true within that time."""
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


CALLER = """
import signal, sys
from pathlib import Path
from results.base.errors import Interrupted
from results.base.events import Events
from validate.machine.accelerator import Accelerator
from validate.machine.machine import DiskImage, MachineSettings, machine
image, folder, accel, scale = sys.argv[1:]
settings = MachineSettings(Accelerator(accel, "test", float(scale)))
def interrupted(number, frame):
    raise Interrupted(signal.Signals(number).name)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, interrupted)
with machine(DiskImage(Path(image), ""), settings=settings, folder=Path(folder), events=Events(), name="victim"):
    pass
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_pipeline_killed_in_mid_boot_leaves_nothing(
    disk_image: DiskImage, accelerator: Accelerator, tmp_path: Path, number: signal.Signals
) -> None:
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, str(disk_image.path), str(tmp_path), accelerator.name, "6"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        log = tmp_path / "console-victim.log"
        assert soon(lambda: bool(qemus("victim")) and log.exists() and log.stat().st_size > 0, 60)
        caller.send_signal(number)
        caller.wait(60)
    finally:
        caller.kill()
        caller.wait()
    assert soon(lambda: qemus("victim") == [], 5)
    assert list(scratch_folder().glob("*")) == []
    assert [path.name for path in tmp_path.iterdir()] == ["console-victim.log"]


def test_the_transcript_has_a_line_that_starts_the_machine(accelerator: Accelerator, tmp_path: Path) -> None:
    seen: list[Event] = []
    empty = tmp_path / "empty.img"
    empty.write_bytes(bytes(1 << 20))
    settings = MachineSettings(accelerator, limits=Limits(console=0.1))
    with (
        pytest.raises(InfrastructureError),
        machine(DiskImage(empty, ""), settings=settings, folder=tmp_path, events=Events(seen.append), name="told"),
    ):
        pass
    (line,) = [event.text for event in seen if event.kind == "command" and event.text.startswith("qemu-system")]
    assert "PRIVATE KEY" not in json.dumps([event.text for event in seen])
    assert "guest=dots-family-told" in line
