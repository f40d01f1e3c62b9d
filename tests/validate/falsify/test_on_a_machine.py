"""A slice of every kind of sabotage on the shared machine, and a sabotage that does nothing: it must not count."""

from __future__ import annotations

import pytest

from harden.sabotage import Sabotage, SetSysctl
from harden.sabotages import sabotages
from results.base.events import Events
from validate.falsify.grouping import Case, cases
from validate.falsify.run import Falsifier
from validate.machine.machine import Machine
from validate.plan import Plan

SLICE = (
    "systemd.daemon.no-new-privileges",
    "systemd.filter.account",
    "systemd.monitor.restrict-namespaces",
    "apparmor.filter.enforced",
    "apparmor.ctl.denies-secrets",
    "dbus.children",
    "sysctl.aslr",
    "files.shadow",
    "ssh.strict-modes",
    "accounts.daemon",
    "integrity.polkit",
    "network.exposed",
)
IDLE = "sysctl.sysrq"


@pytest.mark.vm
def test_checks_turn_red_and_green_again(hardened_machine: Machine, plan: Plan, events: Events) -> None:
    every = cases(sabotages(plan.catalogue, plan.described, plan.tree), plan.checks)
    chosen = [case for case in every if case.control in SLICE]
    idle = next(case for case in every if case.control == IDLE)
    nothing = Sabotage(IDLE, (SetSysctl(name="kernel.sysrq", values=("0",)),))
    seen = Falsifier(hardened_machine, plan, events, "grouped").run([*chosen, Case(nothing, idle.checks)])
    idle_one = seen.controls.pop(IDLE)
    assert {name: one.message for name, one in seen.controls.items() if not one.proven} == {}
    assert set(seen.controls) == set(SLICE)
    assert {one.evidence for one in seen.controls.values()} == {"state", "digest"}
    assert not idle_one.proven
    assert "none of its checks turned red" in idle_one.message
