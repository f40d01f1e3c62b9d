"""The order of things, on a machine that is made up: nothing counts as proven that was not seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from harden.catalogue import Catalogue
from harden.check import Check
from harden.control import Control
from harden.sabotage import AnyAction, Audit, KernelWords, Sabotage, SetSysctl, Write
from results.base.events import Events
from validate.falsify import run as module
from validate.falsify.grouping import Case
from validate.falsify.run import Falsifier, Mode
from validate.plan import Plan


def control(name: str) -> Control:
    return Control(
        id=name, title="A title", layer="state", severity="low", set={}, checks=(), sabotage=(), probe="",
        remediation="", references={}, source="x:1",
    )  # fmt: skip


def case(name: str, *actions: AnyAction) -> Case:
    check = Check(name, "A title", "state", "low", ("sysctl", name), "raw", "equals", "good", "")
    return Case(Sabotage(name, actions or (SetSysctl(name=name, values=("1",)),)), (check,))


class World:
    """A machine as far as the engine sees it: which controls are broken, and what was asked of it."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.broken: set[str] = set()
        self.saved: dict[str, set[str]] = {}
        self.done: list[str] = []
        self.masked: set[str] = set()  # does not show while others are broken
        self.stuck: set[str] = set()  # does not show at all
        self.spreads: dict[str, str] = {}
        self.session = self
        self.accelerator = self
        self.time_scale = 1.0
        self.name = "kvm"

    def snapshot_save(self, name: str) -> None:
        self.saved[name] = set(self.broken)
        self.done.append(f"save {name}")

    def snapshot_load(self, name: str) -> None:
        self.broken = set(self.saved[name])
        self.done.append(f"load {name}")

    def reboot(self) -> None:
        self.done.append("reboot")

    def spoil(self, _session: Any, group: Sequence[Case], **_: Any) -> dict[str, tuple[str, ...]]:
        self.done.append("break " + " ".join(one.control for one in group))
        names = {one.control for one in group} - self.stuck
        self.broken |= names if len(group) == 1 else names - self.masked
        self.broken |= {self.spreads[name] for name in names & self.spreads.keys()}
        return {}

    def facts(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"errors": {}, "sysctl": {name: "bad" if name in self.broken else "good" for name in self.names}}


@contextmanager
def _step(*_: Any) -> Iterator[None]:
    yield


@pytest.fixture
def falsify(monkeypatch: pytest.MonkeyPatch, plan: Plan) -> Any:
    def go(every: Sequence[Case], mode: Mode = "grouped", **traits: Any) -> tuple[World, Falsifier]:
        world = World([one.control for one in every])
        for name, value in traits.items():
            setattr(world, name, value)
        checks = tuple(check for one in every for check in one.checks)
        catalogue = Catalogue(tuple(control(one.control) for one in every))
        made = Plan(plan.product, catalogue, plan.tree, checks, plan.product)
        monkeypatch.setattr(module, "collect", world.facts)
        monkeypatch.setattr(module, "sabotage", world.spoil)
        monkeypatch.setattr(module, "make_family", lambda *_: type("Family", (), {"monitor_problem": ""}))
        machine: Any = world
        falsifier = Falsifier(machine, made, Events(lambda _event: None), mode)
        falsifier.run(every)
        return world, falsifier

    return go


def test_a_group_is_broken_once_and_undone(falsify: Any) -> None:
    world, seen = falsify([case("a.a"), case("b.b")])
    assert world.done == ["save clean", "break a.a b.b", "load clean"]
    assert all(one.proven and one.group == 1 for one in seen.seen.controls.values())


def test_what_a_group_hides_is_tried_alone(falsify: Any) -> None:
    world, seen = falsify([case("a.a"), case("b.b"), case("c.c")], masked={"b.b"}, stuck={"c.c"})
    assert world.done[3:] == ["break b.b", "load clean", "break c.c", "load clean"]
    assert [one.proven for one in seen.seen.controls.values()] == [True, True, False]
    assert seen.seen.controls["c.c"].message == "none of its checks turned red"


def test_one_by_one_tells_what_else_turned_red(falsify: Any) -> None:
    _, seen = falsify([case("a.a"), case("b.b")], mode="one by one", spreads={"a.a": "b.b"})
    assert [one.also_red for one in seen.seen.groups] == [("b.b",), ()]


def test_boots_come_last_and_the_one_that_unlocks_serves_the_audit_rules(falsify: Any) -> None:
    lock = Write(path="/etc/audit/rules.d/x", content="", then=("boot",), unlocks=True)
    every = [
        case("audit.rule", Audit(lines=("-d x",))),
        case("audit.lock", lock),
        case("kernel.word", KernelWords(remove=("x",))),
        case("a.a"),
    ]
    world, seen = falsify(every)
    assert world.done == [
        *("save clean", "break a.a", "load clean"),
        *("break audit.lock kernel.word", "reboot", "save rebooted"),
        *("break audit.rule", "load rebooted", "load clean"),
    ]
    assert all(one.proven for one in seen.seen.controls.values())
    assert seen.seen.controls["audit.rule"].world == "unlocked"
    assert [one.world for one in seen.seen.groups] == ["running", "boot", "unlocked"]


def test_without_a_lock_audit_rules_are_broken_in_the_running_machine(falsify: Any) -> None:
    world, _ = falsify([case("audit.rule", Audit(lines=("-d x",)))])
    assert world.done == ["save clean", "break audit.rule", "load clean"]
