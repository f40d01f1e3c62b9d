"""The flow of `perf` with boots that are made up: what is kept, and what the exit code says."""

from __future__ import annotations

import io
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from results.base.errors import InfrastructureError
from results.base.events import Events
from results.cost.folder import FILE
from results.cost.records import PerfBoot, PerfRecord, Round
from results.records import HostRecord, Verdict
from results.store import read_record
from results.terminal import Terminal
from validate import requirements
from validate.commands import perf
from validate.machine.accelerator import Accelerator
from validate.options import parse
from validate.perf.boots import Bench, Job
from validate.plan import Plan

HOST = HostRecord(
    cpu="c", cpus=2, memory=1, kernel="6.1", qemu="7.2", python="3.11", accelerator="tcg", accelerator_reason="asked"
)
ONE = ("bus.growth", "db.flushes", *(f"{what}.{unit}" for what in ("start", "reload") for unit in ("daemon", "filter")))
CALLS = (
    *("bus.ping", "bus.parent", "bus.child", "bus.monitor", "exec.cost", "exec.event", "db.commit", "process.fork"),
    *("call.getppid", "call.read", "call.stat", "file.open", "file.watched", "file.create"),
    *("pipe.turn", "tcp.turn", "tcp.connect"),
    *(f"filter.{kind}.{length}" for kind in ("plain", "connect", "refused") for length in ("short", "long")),
)


def made_up(job: Job, slower: float, recorded: float = 105) -> PerfBoot:
    """A boot of which every measure is known; the hardened one is `slower`."""
    source = random.Random(job.label)  # noqa: S311 - repeatable on purpose
    factor = slower if job.side == "hardened" else 1.0

    def one_round() -> Round:
        raw = {name: (100 * factor * source.uniform(0.999, 1.001),) for name in CALLS}
        raw |= dict.fromkeys((*ONE, "start.monitor", "reload.monitor"), (1.0,))
        raw |= {
            f"hold.{u}.{w}": (1.0,) for u in ("daemon", "monitor", "filter") for w in ("memory", "tasks", "descriptors")
        }
        return Round(raw=raw | {"exec.made": (105.0,), "exec.recorded": (recorded,), "exec.lost": (0.0, 0.0)})

    return PerfBoot(
        label=job.label,
        side=job.side,
        boot_id=job.label,
        seconds_to_ready=90,
        quiet=True,
        waited=6,
        rounds=tuple(one_round() for _ in range(job.rounds)),
    )


@pytest.fixture
def measured(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `perf` with words; boots come from a function. Returns exit code and record."""
    monkeypatch.setattr(perf, "load_plan", lambda _: plan)
    monkeypatch.setattr(requirements, "require", lambda: None)
    monkeypatch.setattr(perf, "render_folder", lambda _: None)  # drawn in a test of its own
    monkeypatch.setattr(perf, "choose", lambda *_, **__: Accelerator("tcg", "asked for", 6.0))
    monkeypatch.setattr(perf, "describe_host", lambda *_: HOST)
    image = SimpleNamespace(record=SimpleNamespace(sha256="sha256:0"))
    monkeypatch.setattr(perf, "images_for", lambda *_: {"baseline": image, "hardened": image})

    def run(boot: Any, *words: str) -> tuple[int, PerfRecord]:
        monkeypatch.setattr(Bench, "boot", lambda _, job: boot(job))
        options = parse(["perf", "--results", str(tmp_path / "runs"), *words])
        code = 3
        try:
            code = perf.run(options, Events(lambda _: None), Terminal(io.StringIO(), io.StringIO()))
        except InfrastructureError as error:
            code = int(error.exit_code)
        (folder,) = sorted((tmp_path / "perf").iterdir())[-1:]
        return code, read_record(folder / FILE, PerfRecord)

    return run


def test_within_budget_is_a_pass_with_pairs_history_and_a_page(measured: Any, tmp_path: Path) -> None:
    code, record = measured(lambda job: made_up(job, 1.02))
    assert (code, record.verdict) == (0, Verdict.PASS), record.why
    assert [one.label for one in record.boots][:4] == ["baseline-1", "hardened-1", "hardened-2", "baseline-2"]
    assert record.conditions is not None
    assert record.conditions.clock == "deterministic"
    assert (tmp_path / "history" / "debian-trixie.jsonl").read_text().count("\n") == 1


def test_too_dear_fails(measured: Any) -> None:
    code, record = measured(lambda job: made_up(job, 1.5))
    assert (code, record.verdict) == (1, Verdict.FAIL)
    assert any("bus.ping" in why for why in record.why)


def test_incomplete_capture_fails(measured: Any) -> None:
    code, record = measured(lambda job: made_up(job, 1.02, recorded=104 if job.label == "hardened-2" else 105))
    assert (code, record.verdict) == (1, Verdict.FAIL)
    assert "exec.captured" in record.why[0]


def test_too_few_boots_are_no_verdict(measured: Any) -> None:
    code, record = measured(lambda job: made_up(job, 1.02), "--boots", "2")
    assert (code, record.verdict) == (3, Verdict.NONE)


def test_a_machine_that_dies_leaves_the_boots_before_it_and_no_verdict(measured: Any) -> None:
    def boot(job: Job) -> PerfBoot:
        if job.label == "hardened-2":
            raise InfrastructureError("machine hardened-2: kernel panic")
        return made_up(job, 1.02)

    code, record = measured(boot, "--jobs", "1")
    assert (code, record.verdict) == (3, Verdict.NONE)
    assert "kernel panic" in record.error
    assert [one.label for one in record.boots] == ["baseline-1", "hardened-1"]
