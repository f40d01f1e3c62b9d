from __future__ import annotations

import math
from typing import Literal

import pytest

from harden.product import Product
from results.cost.judge import judge
from results.cost.records import PerfBoot, Round
from validate.benchmarks.costs import Cost, costs, median, midmean
from validate.perf.attribution import attribute
from validate.perf.boots import attributing, interleaved, tuned_keys
from validate.perf.budgets import load_budgets
from validate.perf.taken import taken
from validate.perf.tuning import earned, groups, left_out, load_workloads
from validate.plan import Plan

PING = Cost("bus.ping", "Ping", "Bus", "µs", median("bus.ping"), "bus")


def boot(label: str, *rounds: Round) -> PerfBoot:
    side: Literal["baseline", "hardened"] = "baseline" if label.startswith("baseline") else "hardened"
    return PerfBoot(label=label, side=side, boot_id=label, seconds_to_ready=1, quiet=True, waited=6, rounds=rounds)


def ping(*values: float, without: str = "") -> Round:
    return Round(raw={"bus.ping": values}, without=without)


def test_boots_are_started_in_the_order_abba() -> None:
    assert [job.side[0] for job in interleaved(4, 3)] == ["b", "h", "h", "b", "b", "h", "h", "b"]


def test_a_round_has_the_middle_of_its_calls_and_a_boot_has_its_rounds() -> None:
    found = taken(PING, [boot("baseline-1", ping(1, 9, 2), ping(3)), boot("hardened-1", ping(4), ping(4))])
    assert found.baseline == ((2.0, 3.0),)
    assert found.hardened == ((4.0, 4.0),)


def test_a_boot_that_lacks_a_round_is_left_out_whole_and_says_why() -> None:
    dead = Round(raw={}, problems={"bus": "the guest's wall clock jumped by +3600.000 s"})
    found = taken(PING, [boot("baseline-1", ping(1), dead), boot("hardened-1", ping(4), ping(4))])
    assert found.baseline == ((),)
    assert found.problem == "baseline-1, round 2: the guest's wall clock jumped by +3600.000 s"
    assert judge(found, None, "deterministic", 1).verdict == "void"


def test_midmean_is_steady_where_calls_have_two_modes() -> None:
    value = midmean("x")
    assert value({"x": [1, 1, 1, 1, 2, 2, 2, 2]}) == 1.5
    assert value({"x": [1, 1, 1, 1, 2, 2, 2, 900]}) == 1.5
    assert value({}) is None


def test_shares_and_rest_add_up_to_the_total() -> None:
    base = [boot(f"baseline-{n}", ping(100)) for n in range(3)]
    hard = [boot(f"hardened-{n}", ping(130)) for n in range(3)]
    measure = judge(taken(PING, [*base, *hard]), None, "deterministic", 1)
    more = [
        boot("attribution", ping(131), ping(126, without="seccomp"), ping(120, without="AppArmor"), ping(131)),
        boot("without-audit", ping(125, without="audit")),
    ]
    (found,) = attribute([PING], {"bus.ping": measure}, hard, more)
    shares = {one.layer: one.change for one in found.shares}
    assert shares["seccomp"] == pytest.approx(math.log(131 / 126))
    assert shares["audit"] == pytest.approx(math.log(130 / 125))
    assert sum(shares.values()) + found.rest == pytest.approx(found.total)
    assert found.total == pytest.approx(math.log(1.3))


def test_a_layer_that_could_not_be_left_out_has_no_share() -> None:
    hard = [boot("hardened-1", ping(130))]
    measure = judge(taken(PING, [boot("baseline-1", ping(100)), *hard]), None, "deterministic", 1)
    broken = Round(raw={}, problems={"bus": "TimeoutError"}, without="seccomp")
    assert list(attribute([PING], {"bus.ping": measure}, hard, [boot("attribution", ping(130), broken)])) == []


def test_every_budget_is_of_a_measure_and_every_judged_product_cost_has_a_reason(plan: Plan) -> None:
    budgets = load_budgets(plan.product)
    assert {"bus.ping", "exec.cost", "exec.captured", "exec.lost"} <= budgets.keys()
    assert all(one.why for one in budgets.values())


def test_names_of_measures_are_one_of_a_kind(plan: Plan) -> None:
    names = [one.name for one in costs(plan.product)]
    assert len(names) == len(set(names))


def test_the_tuning_can_be_left_out_key_by_key(plan: Plan) -> None:
    keys = tuned_keys(plan)
    assert "vm.swappiness" in keys
    assert all("." in key for key in keys)
    labels = [job.label for job in attributing(2, {"vm.swappiness": "60"})]
    assert labels == ["attribution", "without-audit", "without-kernel-parameters"]


def test_measures_follow_the_units_of_the_product(plan: Plan) -> None:
    lone: Product = plan.product.model_copy(update={"units": {"daemon": plan.product.units["daemon"]}})
    assert not [one.name for one in costs(lone) if "monitor" in one.name and one.name.startswith("start")]


def test_each_group_of_the_tuning_has_a_workload_and_a_reason(plan: Plan) -> None:
    workloads = load_workloads(plan, [one.name for one in costs(plan.product)])
    assert workloads.keys() == groups(plan).keys()


def test_a_group_gains_harms_or_neither_beyond_the_spread_of_the_other_rounds(plan: Plan) -> None:
    table = costs(plan.product)
    workloads = load_workloads(plan, [one.name for one in table])
    whole = Round(raw={"call.stat": (10.0,), "exec.cost": (100.0,), "bus.monitor": (50.0,), "process.fork": (8.0,)})
    rounds = (
        whole,
        Round(raw={"call.stat": (11.0,), "exec.cost": (100.0,)}, without="tuning.cache-pressure"),
        Round(raw={"bus.monitor": (45.0,)}, without="tuning.swappiness"),
        Round(raw={"process.fork": (8.0,), "exec.cost": (100.5,)}, without="tuning.pid-max"),
    )
    untuned = {"vm.swappiness": "60", "vm.vfs_cache_pressure": "100", "kernel.pid_max": "32768"}
    found = {one.control: one for one in earned(plan, table, workloads, untuned, boot("attribution", *rounds))}
    assert (found["tuning.cache-pressure"].verdict, found["tuning.cache-pressure"].reason) == ("gain", "")
    assert found["tuning.cache-pressure"].change == pytest.approx(10 / 11 - 1, abs=1e-6)
    assert found["tuning.swappiness"].verdict == "harm"
    assert found["tuning.pid-max"].verdict == "no gain shown"
    assert found["tuning.pid-max"].reason
    assert found["tuning.aio"].verdict == "not measured"


def test_a_key_that_the_kernel_has_anyway_is_not_left_out(plan: Plan) -> None:
    table = costs(plan.product)
    workloads = load_workloads(plan, [one.name for one in table])
    untuned = {"net.core.bpf_jit_enable": "1", "vm.swappiness": "60"}
    assert [one.layer for one in left_out(plan, table, workloads, untuned)] == ["tuning.swappiness"]
    (jit,) = [
        one for one in earned(plan, table, workloads, untuned, boot("attribution")) if one.control == "tuning.bpf-jit"
    ]
    assert jit.verdict == "changes nothing here"
