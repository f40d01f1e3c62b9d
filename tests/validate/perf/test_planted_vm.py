"""Known costs are planted in a real machine, and each has to be found at its place."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from harden.product import Product
from images.build import BuiltImage
from results.base.events import Events
from results.cost.judge import judge
from results.cost.records import PerfBoot, PerfBudget, PerfMeasure, Round, SoakUnit
from results.records import Variant
from validate.benchmarks.costs import costs
from validate.family import make_family
from validate.machine.accelerator import choose
from validate.machine.machine import DiskImage, Machine, MachineSettings, machine
from validate.machine.session import Session
from validate.perf.boots import SLOWER
from validate.perf.budgets import load_budgets
from validate.perf.rounds import TSC, Asker
from validate.perf.soaking import judged, load, load_allowed
from validate.perf.taken import taken
from validate.plan import Plan

pytestmark = pytest.mark.vm
HERE = Path(__file__).parent
SHIM = "/usr/local/lib/dots-planted.so"
DROPIN = "/run/systemd/system/dots-family-daemon.service.d/99-planted.conf"
TRIGGER = (
    "CREATE TRIGGER planted AFTER INSERT ON exec_events WHEN NEW.id % {} = 0 "
    "BEGIN DELETE FROM exec_events WHERE id = NEW.id; END"
)
SQL = """
import sqlite3
database = sqlite3.connect(ARGUMENT["path"], timeout=30, isolation_level=None)
database.execute(ARGUMENT["statement"])
database.close()
RESULT = True
"""


def found(
    product: Product, name: str, before: Sequence[Round], after: Sequence[Round], budget: PerfBudget
) -> PerfMeasure:
    """Judge rounds of one machine as if each were a boot: what is planted is the only thing that differs."""
    cost = next(one for one in costs(product) if one.name == name)
    boots = [
        PerfBoot(label=f"{side}-{at}", side=side, boot_id="", seconds_to_ready=1, quiet=True, waited=1, rounds=(one,))
        for side, rounds in (("baseline", before), ("hardened", after))
        for at, one in enumerate(rounds)
    ]
    return judge(taken(cost, boots), budget, "deterministic", 1)


@contextmanager
def lossy(session: Session, product: Product, every: int) -> Iterator[None]:
    """The daemon's database forgets one event in `every`."""
    path = product.paths["database"]
    session.python(SQL, {"path": path, "statement": TRIGGER.format(every)})
    try:
        yield
    finally:
        session.python(SQL, {"path": path, "statement": "DROP TRIGGER planted"})


def test_a_lost_exec_event_fails_the_capture(hardened_machine: Machine, plan: Plan) -> None:
    session = hardened_machine.session
    family = make_family(session, plan.product)
    asker = Asker(session, plan.product, family.people, hardened_machine.accelerator.time_scale, "")
    budget = load_budgets(plan.product)["exec.captured"]
    whole = asker.round(["execs"])
    with lossy(session, plan.product, 50):
        less = asker.round(["execs"])
    assert found(plan.product, "exec.captured", [whole], [whole], budget).verdict == "within budget"
    caught = found(plan.product, "exec.captured", [whole], [less], budget)
    assert caught.verdict == "regressed"
    assert "below the limit of 1" in caught.why


@dataclass(frozen=True)
class Ground:
    """A baseline machine whose time follows instructions, and its rounds as it is."""

    session: Session
    asker: Asker
    product: Product
    clean: tuple[Round, ...]

    def planted(self, environment: str, parts: Sequence[str], rounds: int) -> list[Round]:
        """Rounds with the shim in the daemon."""
        with self.shim(environment):
            return [self.asker.round(parts) for _ in range(rounds)]

    def soaked(self, seconds: float) -> SoakUnit:
        """The daemon under a steady load of so many seconds of the machine's time."""
        answer = load(self.session, self.product, self.asker.people, seconds, self.asker.scale)
        units = judged(answer, "baseline", "", load_allowed(self.product), 1).units
        return next(one for one in units if one.unit == "daemon")

    @contextmanager
    def shim(self, environment: str) -> Iterator[None]:
        """The shim in the daemon."""
        text = f"[Service]\nEnvironment=LD_PRELOAD={SHIM} {environment}\n"
        self.session.run(["mkdir", "-p", str(Path(DROPIN).parent)])
        self.session.put(DROPIN, text.encode(), 0o644)
        self._restart()
        try:
            yield
        finally:
            self.session.run(["rm", DROPIN])
            self._restart()

    def _restart(self) -> None:
        self.session.run(["systemctl", "daemon-reload"])
        self.session.run(["systemctl", "restart", "dots-family-daemon.service"])

    def change(self, name: str, after: Sequence[Round], budget: float) -> PerfMeasure:
        return found(self.product, name, self.clean, after, PerfBudget(change=budget))


@pytest.fixture(scope="module")
def ground(
    built: Mapping[Variant, BuiltImage],
    plan: Plan,
    events: Events,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ground]:
    folder = tmp_path_factory.mktemp("planted")
    shim = folder / "planted.so"
    subprocess.run(
        ["gcc", "-O1", "-shared", "-fPIC", "-o", str(shim), str(HERE / "planted.c"), "-ldl"], check=True, timeout=60
    )
    image = built["baseline"]
    disk = DiskImage(image.disk, image.record.sha256, image.record.architecture)
    settings = MachineSettings(accelerator=choose("tcg", events=events), cpus=1, deterministic=True)
    with machine(disk, settings=settings, folder=folder, name="planted", events=events) as booted:
        family = make_family(booted.session, plan.product)
        booted.session.put(SHIM, shim.read_bytes(), 0o755)
        scale = settings.accelerator.time_scale * SLOWER
        asker = Asker(booted.session, plan.product, family.people, scale, TSC)
        asker.settle()
        clean = tuple(asker.round(["bus", "kernel"]) for _ in range(3))
        yield Ground(booted.session, asker, plan.product, clean)


@pytest.mark.nightly
def test_busy_loops_of_three_five_and_ten_percent_are_found_in_the_call_and_nowhere_else(ground: Ground) -> None:
    ping = ground.change("bus.ping", ground.clean, 0.01)
    tried = ground.change("bus.ping", ground.planted("PLANTED_SPIN=20000", ["bus"], 3), 0.01)
    spin_of_all = 20000 / (tried.median_hardened / ping.median_baseline - 1)
    for share in (0.03, 0.05, 0.10):
        rounds = ground.planted(f"PLANTED_SPIN={spin_of_all * share:.0f}", ["bus", "kernel"], 3)
        caught = ground.change("bus.ping", rounds, 0.01)
        assert caught.verdict == "regressed", (share, caught.change, caught.interval, caught.why)
        assert caught.change == pytest.approx(share, abs=0.01)
        assert ground.change("call.stat", rounds, 0.02).verdict != "regressed"
        assert ground.change("pipe.turn", rounds, 0.02).verdict != "regressed"


@pytest.mark.nightly
def test_a_slow_leak_is_found(ground: Ground) -> None:
    budget = load_budgets(ground.product)["bus.growth"]
    assert found(ground.product, "bus.growth", ground.clean, ground.clean, budget).verdict == "within budget"
    caught = found(ground.product, "bus.growth", ground.clean, ground.planted("PLANTED_LEAK=64", ["bus"], 3), budget)
    assert caught.verdict == "regressed", caught.why


@pytest.mark.nightly
def test_a_slow_leak_shows_under_a_steady_load(ground: Ground) -> None:
    assert ground.soaked(120).verdict == "within budget"
    with ground.shim("PLANTED_LEAK=64"):
        caught = ground.soaked(120)
    assert caught.verdict == "regressed", caught.why


@pytest.mark.nightly
def test_an_audit_rule_that_is_too_wide_is_found_at_the_calls_that_it_names(ground: Ground) -> None:
    rule = ["always,exit", "-F", "arch=b64", "-S", "openat", "-k", "planted"]
    ground.session.run(["auditctl", "-a", *rule])
    try:
        rounds = [ground.asker.round(["kernel"]) for _ in range(3)]
    finally:
        ground.session.run(["auditctl", "-d", *rule])
    assert ground.change("file.open", rounds, 0.10).verdict == "regressed"
    wide = ground.change("file.open", rounds, 0.10).change or 0
    assert wide > 3 * (ground.change("call.stat", rounds, 0.10).change or 0)


@pytest.mark.nightly
def test_one_event_lost_in_a_thousand_is_found(ground: Ground) -> None:
    with lossy(ground.session, ground.product, 1000):
        rounds = [ground.asker.round(["execs"]) for _ in range(10)]
    budget = load_budgets(ground.product)["exec.captured"]
    assert found(ground.product, "exec.captured", rounds, rounds, budget).verdict == "regressed"
