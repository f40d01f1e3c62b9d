"""Folders of `perf` runs, and what is told of one on the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from results.base.errors import InfrastructureError
from results.cost.records import PerfMeasure, PerfRecord, SoakUnit
from results.records import Verdict
from results.store import as_json, timestamp, write_whole
from results.text import duration, one_line, percent

FILE = "perf.json"
WORDS = {
    Verdict.PASS: "PASS: every cost is within its budget",
    Verdict.FAIL: "FAIL: the hardening costs more than its budget",
    Verdict.NONE: "NO VERDICT",
    Verdict.KILLED: "CUT OFF",
}


def create(root: Path, target: str, workload: str, now: datetime) -> tuple[Path, PerfRecord]:
    """Make the folder of a new run, with a perf.json in it that says `killed`. Raises `InfrastructureError`."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", target)[:80]
    base = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{name}"
    for number in range(1, 1000):
        run_id = base if number == 1 else f"{base}-{number}"
        try:
            (root / run_id).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise InfrastructureError(f"{root}: {error.strerror}", "`--results` names another folder") from None
        record = PerfRecord(
            id=run_id,
            target=target,
            workload=workload,
            started=timestamp(now),
            why=("the run was cut off before its end",),
        )
        write(root / run_id, record)
        return root / run_id, record
    raise InfrastructureError(f"{root}: no free name for a run like {base}", "clear old runs away")


def write(path: Path, record: PerfRecord) -> Path:
    """Write the record into a folder, whole."""
    return write_whole(path / FILE, as_json(record))


def lines(record: PerfRecord) -> Iterator[str]:
    """Every measure on a line, by heading, and the verdict with its reasons."""
    heading = ""
    for one in record.measures:
        if one.part != heading:
            heading = one.part
            yield heading
        yield f"  {line(one)}"
    for soak in record.soaks:
        yield f"Steady load of {duration(soak.at[-1] if soak.at else 0)} on the {soak.side} machine"
        for unit in soak.units:
            yield f"  {gain(unit)}"
    yield f"{WORDS[record.verdict]} ({duration(record.seconds)}, {len(record.boots)} boots)"
    for why in record.why:
        yield f"  - {one_line(why)}"


def gain(one: SoakUnit) -> str:
    """`daemon    9.2 → 9.3 MiB   +1.2 KiB a minute (-0.5 to +3.0)   descriptors 12 → 12   within budget`."""
    if not one.memory or one.slope is None or one.interval is None:
        return f"{one.unit:12} {one.verdict}: {one.why}"
    ends = f"({one.interval[0] / 1024:+.1f} to {one.interval[1] / 1024:+.1f})"
    held = f"{one.memory[0] / 2**20:.1f} → {one.memory[-1] / 2**20:.1f} MiB"
    counts = f"descriptors {one.descriptors[0]} → {one.descriptors[-1]}, tasks {one.tasks[0]} → {one.tasks[-1]}"
    return f"{one.unit:12} {held:>18}  {one.slope / 1024:+.1f} KiB a minute {ends:20} {counts}  {one.verdict}"


def line(one: PerfMeasure) -> str:
    """`Ping, by a parent      707 → 820 µs  +16.0 % (+15.8 % to +16.2 %)  A/A 0.1 %  within budget`."""
    interval = f"({percent(one.interval[0])} to {percent(one.interval[1])})" if one.interval else ""
    change = "" if one.change is None else percent(one.change)
    control = "" if one.control is None else f"A/A {one.control * 100:.2f} %"
    values = f"{one.median_baseline:.5g} → {one.median_hardened:.5g} {one.unit}"
    verdict = "" if one.verdict == "not judged" else one.verdict
    return f"{one.title:52} {values:>28}  {change:>9} {interval:24} {control:11} {verdict}".rstrip()
