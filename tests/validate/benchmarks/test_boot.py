"""systemd's timestamps as phases and as a timeline."""

from __future__ import annotations

import pytest

from validate.benchmarks.content.boot import phases, timeline


def test_phases_add_up_to_the_total() -> None:
    raw = phases({"Firmware": 5.0, "Loader": 2.0, "InitRD": 3.0, "Userspace": 7.0, "Finish": 20.0})
    assert {name: value for name, (value,) in raw.items()} == {
        "boot.firmware": 3.0,
        "boot.loader": 2.0,
        "boot.kernel": 3.0,
        "boot.initrd": 4.0,
        "boot.userspace": 13.0,
        "boot.total": 25.0,
    }


def test_phases_that_systemd_does_not_know_are_missing() -> None:
    raw = phases({"Firmware": 0.0, "Loader": 0.0, "InitRD": 0.0, "Userspace": 12.0, "Finish": 50.0})
    assert raw == {"boot.kernel": [12.0], "boot.userspace": [38.0], "boot.total": [50.0]}


def unit(name: str, start: int, active: int, over: int = 0) -> dict[str, str]:
    return {
        "Id": name,
        "InactiveExitTimestampMonotonic": str(start),
        "ActiveEnterTimestampMonotonic": str(active),
        "InactiveEnterTimestampMonotonic": str(over),
    }


def test_slowest_first_and_only_of_this_boot() -> None:
    rows = timeline(
        [
            unit("slow", 1_000_000, 9_000_000),
            unit("oneshot", 2_000_000, 0, 3_000_000),
            unit("late", 60_000_000, 61_000_000),
            unit("quick", 1_000_000, 1_000_100),
            {"Id": "never"},
        ],
        finish=50.0,
    )
    assert [(row["name"], row["seconds"]) for row in rows] == [("slow", 8.0), ("oneshot", 1.0)]
    assert rows[0]["start"] == pytest.approx(1.0)
