"""What was joined to a run and has not passed: the run's own verdict does not know of it, so its reader has to."""

from __future__ import annotations

from collections.abc import Iterator

from results.cost.records import PerfRecord
from results.judges import Judges
from results.records import Verdict
from results.text import plural

WORDS = {Verdict.FAIL: "fails", Verdict.NONE: "came to no verdict", Verdict.KILLED: "was cut off"}


def notes(judges: Judges | None, perf: PerfRecord | None) -> Iterator[str]:
    """A line for each, with its first reason."""
    for name, record in (("judges", judges), ("perf", perf)):
        if record is not None and record.verdict is not Verdict.PASS:
            more = f", and {plural(len(record.why) - 1, 'more reason')}" if len(record.why) > 1 else ""
            why = f": {record.why[0]}{more}" if record.why else ""
            yield f"{name}, which was joined to this run, {WORDS[record.verdict]}{why}"
