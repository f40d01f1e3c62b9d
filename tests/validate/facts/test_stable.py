"""Two boots of one machine are the same machine; a change that matters shows."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from validate.facts.stable import LEFT_OUT, reason, stable

GOLDEN = Path(__file__).parent / "golden"
FIRST, SECOND = (json.loads((GOLDEN / f"boot-{number}.json").read_text()) for number in (1, 2))


def test_two_boots_of_one_real_machine_differ_in_nothing() -> None:
    assert FIRST != SECOND
    assert stable(FIRST) == stable(SECOND)


@pytest.mark.parametrize(
    "place",
    [
        ("sysctl", "kernel.kptr_restrict"),
        ("units", "dots-family-daemon.service", "properties", "ProtectSystem"),
        ("units", "dots-family-daemon.service", "process", "apparmor"),
        ("accounts", "users", "kim", "password"),
        ("files", "/etc/shadow", "mode"),
        ("setuid", "/usr/bin/su"),
        ("network", "nft"),
        ("loader", "/boot/efi/loader/entries/d.conf"),
        ("dbus", "policies", 0, "sha256"),
        ("network", "listeners", 0, "user"),
    ],
    ids=lambda place: ".".join(map(str, place)),
)
def test_a_change_that_matters_shows(place: tuple[Any, ...]) -> None:
    changed = copy.deepcopy(FIRST)
    holder = changed
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = "something else"
    before, after = stable(FIRST), stable(changed)
    different = [path for path in before.keys() | after.keys() if before.get(path) != after.get(path)]
    assert len(different) == 1


def test_what_appears_shows() -> None:
    changed = copy.deepcopy(FIRST)
    changed["setuid"]["/tmp/evil"] = "4755 root root"
    assert set(stable(changed)) - set(stable(FIRST)) == {"setuid./tmp/evil"}


def test_every_rule_has_its_reason_and_no_rule_takes_all() -> None:
    assert all(len(rule.reason) > 8 for rule in LEFT_OUT)
    assert all(not rule.pattern.startswith("*") for rule in LEFT_OUT)
    assert reason("machine.boot_id")
    assert not reason("units.dots-family-daemon.service.process.user")


def test_the_order_of_relations_and_when_it_ran_do_not_count() -> None:
    changed = copy.deepcopy(FIRST)
    properties = changed["units"]["dots-family-daemon.service"]["properties"]
    properties["After"] = " ".join(reversed(properties["After"].split()))
    properties["IPAddressDeny"] = "::/0 0.0.0.0/0"
    assert stable(changed) == stable(FIRST)
    properties["ExecStart"] = properties["ExecStart"].replace("dots-family-daemon", "evil")
    assert stable(changed) != stable(FIRST)


def test_strange_facts_do_not_break_it() -> None:
    assert stable({}) == {}
    assert stable({"bpf": None, "network": {"listeners": "x"}, "units": {"a": None}}) == {
        "bpf": None,
        "network.listeners": "x",
        "units.a": None,
    }


def test_a_default_that_follows_memory_is_told_from_a_set_limit() -> None:
    def facts(threads: int, tasks: int) -> dict[str, Any]:
        unit = {"properties": {"TasksMax": str(tasks), "LimitNPROC": str(threads // 2)}}
        return {"sysctl": {"kernel.threads-max": str(threads)}, "units": {"a.service": unit}}

    assert stable(facts(15281, 2292)) == stable(facts(15219, 2282))
    assert stable(facts(15281, 2292)) != stable(facts(15219, 512))
