"""From raw values to samples."""

from __future__ import annotations

from typing import Any

import pytest

from harden.product import load_product
from results.base.errors import InfrastructureError
from results.records import Conditions
from validate.benchmarks.measures import quantile, size
from validate.benchmarks.run import Measured, measured

CONDITIONS = Conditions(accelerator="tcg", cpus=2)


def answer(**changes: Any) -> dict[str, Any]:
    first = {"dbus.ping": [3.0, 1.0, 2.0], "exec.made": [30], "exec.recorded": [30], "web.plain": [10.0, 10.0]}
    second = {"dbus.ping": [4.0], "exec.made": [30], "exec.recorded": [15], "service.daemon.peak": [256 << 20]}
    whole: dict[str, Any] = {"boot": {"boot.total": [40.0]}, "timeline": [], "rounds": [first, second], "problems": {}}
    return whole | changes


def samples(raw: dict[str, Any]) -> dict[str, Any]:
    return {one.name: one for one in measured(raw, load_product(), CONDITIONS).samples}


def test_each_repetition_gives_one_value() -> None:
    found = samples(answer())
    assert found["dbus.latency.ping.p50"].values == (2.0, 4.0)
    assert found["dbus.latency.ping.p95"].values == (3.0, 4.0)
    assert found["exec.captured"].values == (1.0, 0.5)
    assert found["filter.plain.rate"].values == (100.0,)
    assert found["service.daemon.memory-share"].values == (50.0,)
    assert found["boot.total"].values == (40.0,)


def test_raw_values_are_kept() -> None:
    assert samples(answer())["dbus.latency.ping.p50"].detail["raw"] == {"dbus.ping": [[3.0, 1.0, 2.0], [4.0]]}


def test_what_could_not_be_measured_says_why() -> None:
    found = samples(answer(rounds=[], problems={"bus": "ConnectionError: the bus hung up"}))
    assert found["dbus.latency.ping.p50"].values == ()
    assert found["dbus.latency.ping.p50"].detail["problem"].startswith("ConnectionError")
    assert found["exec.cost"].detail["problem"] == "the machine gave no value"


def test_optional_boot_phases_are_left_out() -> None:
    assert "boot.firmware" not in samples(answer())
    assert "boot.kernel" in samples(answer())


@pytest.mark.parametrize(
    "change",
    [
        {"boot": {"boot.total": [-1.0]}},
        {"rounds": [{"dbus.ping": ["fast"]}]},
        {"timeline": [{"name": "x", "start": 0, "seconds": float("inf")}]},
        {"more": 1},
        {"rounds": None},
    ],
)
def test_a_machine_that_lies_about_the_shape(change: dict[str, Any]) -> None:
    with pytest.raises(InfrastructureError):
        measured(answer(**change), load_product(), CONDITIONS)


def test_unpacks_as_two() -> None:
    taken, timeline = Measured((), ())
    assert (taken, timeline) == ((), ())


def test_quantile_is_one_of_the_values() -> None:
    assert quantile([5.0], 0.95) == 5.0
    assert quantile([float(one) for one in range(1, 101)], 0.95) == 95.0


def test_sizes_as_systemd_writes_them() -> None:
    assert (size("512M"), size(100), size("1G"), size("64")) == (512 << 20, 100, 1 << 30, 64)
