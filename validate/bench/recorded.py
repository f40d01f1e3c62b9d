"""What the newest `validate` and `judges` runs have recorded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime

from results.base.errors import UsageError
from results.judges import FILE as JUDGES
from results.judges import Judges
from results.store import load_run, read_record
from validate.bench.figure import Figure
from validate.options import Options


def run_figures(options: Options) -> Iterator[Figure]:
    """What the newest run recorded of itself."""
    with contextlib.suppress(UsageError):
        record = load_run(options.results / "latest").record
        if record.complete:
            building = sum(step.seconds for step in record.steps if step.name == "images")
            whole = (datetime.fromisoformat(record.finished) - datetime.fromisoformat(record.started)).total_seconds()
            yield Figure(f"validate without building ({record.id})", whole - building, 480)
            for step in record.steps:
                yield Figure(f"  {step.name}", step.seconds, None)
            if record.idle is not None:
                yield Figure("share of it in which no core worked for us", record.idle * 100, 5, "%")
            yield Figure("peak memory of our own process", record.peak_memory / 2**20, 200, "MB")


def peer_figures(options: Options) -> Iterator[Figure]:
    """Others at the same work, as ratios: what the newest `judges` run recorded."""
    for path in sorted((options.results.parent / "judges").glob(f"*/{JUDGES}"), reverse=True)[:1]:
        with contextlib.suppress(UsageError):
            made = read_record(path, Judges)
            if made.times_faster is not None:
                yield Figure(
                    f"checks in the time of one of Lynis' ({path.parent.name})", made.times_faster, None, "times"
                )
