"""Falsifies in one machine: break, look, undo, look again, from one snapshot to the next."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from harden.sabotage import World
from results.base.errors import InfrastructureError
from results.base.events import Events
from results.falsification import FalsifiedControl, FalsifiedGroup
from validate.facts.collect import collect, needed
from validate.falsify.grouping import Case, groups
from validate.falsify.proof import Seen, outcomes, red_checks, result, turned_red
from validate.falsify.send import sabotage
from validate.family import make_family
from validate.machine.machine import Machine
from validate.plan import Plan

Mode = Literal["grouped", "one by one"]
CLEAN, REBOOTED = "clean", "rebooted"

STEADY = """
from pathlib import Path
folder = Path("/sys/devices/system/clocksource/clocksource0")
there = (folder / "available_clocksource").read_text().split()
chosen = next((one for one in ("hpet", "acpi_pm") if one in there), None)
if chosen:
    (folder / "current_clocksource").write_text(chosen)
RESULT = chosen
"""
"""An emulated machine's TSC is not turned back with a snapshot: its clock would leap by the age of the snapshot, and
systemd's watchdogs would end services. QEMU keeps the other clocks in the snapshot."""


@dataclass
class Findings:
    """What has been seen so far."""

    controls: dict[str, FalsifiedControl] = field(default_factory=dict)
    groups: list[FalsifiedGroup] = field(default_factory=list)


@dataclass(frozen=True)
class Broken:
    """A group while it is broken: outcomes before it was, red checks by control, what else is red, what went wrong."""

    before: Mapping[str, str]
    red: Mapping[str, tuple[Any, ...]]
    also_red: tuple[str, ...]
    troubles: Mapping[str, tuple[str, ...]]


class Falsifier:
    """Use `run` once, on a machine that has just been booted from the hardened image."""

    def __init__(self, machine: Machine, plan: Plan, events: Events, mode: Mode) -> None:
        """Nothing is done to the machine yet."""
        self.machine = machine
        self.plan = plan
        self.events = events
        self.mode = mode
        self.seen = Findings()
        self._asked = needed(check.fact for check in plan.checks)

    def run(self, cases: Sequence[Case]) -> Findings:
        """Break and undo every case. Raises `InfrastructureError` when the machine, not a control, fails."""
        family = make_family(self.machine.session, self.plan.product)
        if family.monitor_problem:
            raise InfrastructureError("the child's monitor does not start", family.monitor_problem)
        self._save(CLEAN)
        green = self._look("as it is")
        unlocks = any(case.sabotage.unlocks for case in cases)
        now: tuple[World, ...] = ("running",) if unlocks else ("running", "unlocked")
        green = self._world([case for case in cases if case.sabotage.world in now], CLEAN, green)
        self._boots(
            [case for case in cases if case.sabotage.world == "boot"],
            [case for case in cases if case.sabotage.world == "unlocked" and unlocks],
            green,
        )
        return self.seen

    def _sets(self, cases: Iterable[Case]) -> list[list[Case]]:
        return groups(cases) if self.mode == "grouped" else [[case] for case in cases]

    def _world(self, cases: Sequence[Case], snapshot: str, green: Mapping[str, str]) -> Mapping[str, str]:
        """All cases that need no boot of their own, from `snapshot`, where the outcomes are `green`."""
        waiting = self._sets(cases)
        while waiting:
            group = waiting.pop(0)
            with self._group(group) as number:
                broken = self._break(group, green)
                green = self._undo(snapshot)
                self._keep(number, group, broken, green)
            if len(group) > 1:  # alone, it may show what the others hid
                waiting += [[case] for case in group if not self.seen.controls[case.control].proven]
        return green

    def _boots(self, cases: Sequence[Case], unlocked: Sequence[Case], green: Mapping[str, str]) -> None:
        """Cases that need a boot, a whole group at each; in the one that unlocks the audit rules, those that wait."""
        waiting = self._sets(cases)
        while waiting:
            group = waiting.pop(0)
            with self._group(group) as number:
                broken = self._break(group, green, boot=True)
                if unlocked and any(case.sabotage.unlocks for case in group):
                    self._save(REBOOTED)
                    self._world(unlocked, REBOOTED, self._look("audit rules unlocked"))
                    unlocked = ()
                green = self._undo(CLEAN)
                self._keep(number, group, broken, green)
            if len(group) > 1:
                waiting += [[case] for case in group if not self.seen.controls[case.control].proven]

    @contextmanager
    def _group(self, group: Sequence[Case]) -> Iterator[int]:
        number = len(self.seen.groups) + 1
        what = group[0].control if len(group) == 1 else f"{len(group)} controls"
        place = FalsifiedGroup(
            number=number,
            world=group[0].sabotage.world,
            controls=tuple(case.control for case in group),
            also_red=(),
            seconds=0.0,
        )
        self.seen.groups.append(place)
        started = time.monotonic()
        with self.events.step(f"group {number}: {what}"):
            yield number
        taken = round(time.monotonic() - started, 3)
        self.seen.groups[number - 1] = self.seen.groups[number - 1].model_copy(update={"seconds": taken})

    def _break(self, group: Sequence[Case], green: Mapping[str, str], *, boot: bool = False) -> Broken:
        troubles = sabotage(self.machine.session, group, time_scale=self.machine.accelerator.time_scale)
        if boot:
            self.machine.reboot()
        facts = self._collect()
        now = outcomes(self.plan.checks, facts)
        red = {case.control: red_checks(case, facts) for case in group}
        return Broken(green, red, turned_red(green, now, red), troubles)

    def _save(self, snapshot: str) -> None:
        if self.machine.accelerator.name == "tcg":
            self.machine.session.python(STEADY)
        self.machine.snapshot_save(snapshot)

    def _undo(self, snapshot: str) -> Mapping[str, str]:
        self.machine.snapshot_load(snapshot)
        return self._look("undone")

    def _keep(self, number: int, group: Sequence[Case], broken: Broken, after: Mapping[str, str]) -> None:
        for case in group:
            control = self.plan.catalogue.by_id[case.control]
            troubles = broken.troubles.get(case.control, ())
            seen = Seen(broken.before[case.control], broken.red[case.control], after[case.control], troubles)
            self.seen.controls[case.control] = result(case, control, number, seen)
        told = [
            f"{control}: {line}" if control else line for control, lines in broken.troubles.items() for line in lines
        ]
        self.seen.groups[number - 1] = self.seen.groups[number - 1].model_copy(
            update={"also_red": broken.also_red, "troubles": tuple(told[:200])}
        )

    def _collect(self) -> Mapping[str, Any]:
        units, paths = self._asked
        return collect(self.machine.session, self.plan.product, extra_units=units, extra_paths=paths)

    def _look(self, what: str) -> Mapping[str, str]:
        with self.events.step(f"look: {what}"):
            return outcomes(self.plan.checks, self._collect())
