"""The whole pipeline on real machines: what it notices, and what it leaves behind when it is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from images.build import BuiltImage
from images.inspect_disk import remove_file
from results.base.events import Events
from results.records import Outcome, Variant, Verdict
from results.store import load_run
from validate.facts.collect import collect, needed
from validate.family import make_family
from validate.machine.accelerator import Accelerator
from validate.machine.machine import machine
from validate.machine.settings import DiskImage, MachineSettings
from validate.observe import judge_facts
from validate.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.vm


def processes_with(word: str) -> list[int]:
    """Living processes whose command line or open files name `word`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            told = (folder / "cmdline").read_bytes().decode(errors="replace")
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            continue
        if word in told and state != "Z" and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def copied(image: BuiltImage, folder: Path) -> Path:
    """A copy of the disk that may be spoilt; sparse, so that it takes what it holds."""
    target = folder / "disk.raw"
    subprocess.run(["cp", "--sparse=always", "--reflink=auto", str(image.disk), str(target)], check=True)
    return target


def test_every_deleted_hardening_file_is_noticed_and_its_control_named(
    built: Mapping[Variant, BuiltImage], plan: Plan, accelerator: Accelerator, events: Events, tmp_path: Path
) -> None:
    """All files are deleted from one disk, and each has to be named: one boot shows what many would."""
    disk = copied(built["hardened"], tmp_path)
    spared = {file.path for file in plan.tree.files if "/dbus-1/" in file.path}  # vendor's files: replaced, not added
    deleted = [file for file in plan.tree.files if file.path not in spared]
    for file in deleted:
        remove_file(disk, file.path, events=events)
    settings = MachineSettings(accelerator=accelerator)
    with machine(DiskImage(disk, ""), settings=settings, folder=tmp_path, events=events) as booted:
        make_family(booted.session, plan.product)
        units, paths = needed(check.fact for check in plan.checks)
        facts = collect(booted.session, plan.product, extra_units=units, extra_paths=paths)
    disk.unlink()
    findings = judge_facts(plan, facts)
    failed = {one.control: one.severity for one in findings if one.outcome in (Outcome.FAIL, Outcome.ERROR)}
    for file in deleted:
        watching = {check.control for check in plan.checks if file.path in check.fact}
        named = (set(file.controls) | watching) & failed.keys()
        assert watching & failed.keys(), f"{file.path}: its absence was not noticed"
        assert any(failed[control] in ("critical", "high") for control in named), f"{file.path} would not fail a run"


def test_kill_in_mid_boot_leaves_nothing_running(built: Mapping[Variant, BuiltImage], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    images = [f"--image={variant}={built[variant].folder}" for variant in ("baseline", "hardened")]
    pipeline = subprocess.Popen(
        [sys.executable, "-m", "validate", "validate", *images, "--results", str(runs)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    console = runs / "latest" / "console-baseline.log"
    ends = time.monotonic() + 120
    while not (console.exists() and console.stat().st_size > 2000):
        assert pipeline.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.1)
    machines = [pid for pid in processes_with("qemu-system") if str(pipeline.pid) in _ancestors(pid)]
    assert machines
    os.kill(pipeline.pid, signal.SIGKILL)
    pipeline.wait()
    ends = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in machines):
        assert time.monotonic() < ends, "a machine outlived its pipeline"
        time.sleep(0.05)
    run = load_run(runs / "latest")
    assert run.record.verdict is Verdict.KILLED
    assert not run.record.complete
    shutil.rmtree(runs)


def test_sigterm_unwinds_and_the_run_says_so(built: Mapping[Variant, BuiltImage], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    images = [f"--image={variant}={built[variant].folder}" for variant in ("baseline", "hardened")]
    pipeline = subprocess.Popen(
        [sys.executable, "-m", "validate", "validate", *images, "--results", str(runs)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    console = runs / "latest" / "console-baseline.log"
    ends = time.monotonic() + 120
    while not (console.exists() and console.stat().st_size > 500):
        assert time.monotonic() < ends
        time.sleep(0.1)
    machines = [pid for pid in processes_with("qemu-system") if str(pipeline.pid) in _ancestors(pid)]
    assert machines
    pipeline.terminate()
    _, err = pipeline.communicate(timeout=60)
    assert pipeline.returncode == 3
    assert "SIGTERM" in err
    assert not any(Path(f"/proc/{pid}").exists() for pid in machines)
    record = load_run(runs / "latest").record
    assert record.verdict is Verdict.KILLED
    assert "SIGTERM" in record.error
    assert (runs / "latest" / "report.html").exists()


def _ancestors(pid: int) -> list[str]:
    found = []
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            break
        found.append(str(pid))
    return found
