"""What the session tells, and what it refuses before any machine is booted."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from results.base.errors import UsageError
from results.falsification import FILE, Falsification, digest_of
from results.store import as_json, read_record
from validate.commands.falsify import checked_run, chosen_cases, lines
from validate.plan import Plan
from validate.rejudge import CHECKS, as_document

RUN = Path(__file__).resolve().parents[2] / "results" / "fixtures" / "fail"


def test_every_control_is_told_the_unproven_last_with_what_was_done() -> None:
    told = list(lines(read_record(RUN / FILE, Falsification)))
    assert told[0] == "proven by state: systemd.daemon.nonewprivileges"
    assert told[1] == "NOT PROVEN: dbus.default-deny: none of its checks turned red"
    assert told[2].startswith("    sabotage: write path=")
    assert told[-1].startswith(
        "1 of 2 controls proven (1 by state, 0 by configuration, 0 by digest), grouped, in 2 groups"
    )


def test_one_by_one_names_what_else_turned_red() -> None:
    found = read_record(RUN / FILE, Falsification).model_copy(update={"mode": "one by one"})
    assert next(lines(found)).endswith("; also red: integrity.units")


def test_controls_are_chosen_by_glob(plan: Plan) -> None:
    assert len(chosen_cases(plan, ())) == len(plan.catalogue.controls)
    assert {case.control for case in chosen_cases(plan, ("dbus.own*", "sysctl.aslr"))} == {"dbus.owner", "sysctl.aslr"}
    with pytest.raises(UsageError, match=r"--only none\.\*"):
        chosen_cases(plan, ("none.*",))


def test_evidence_goes_into_no_run_that_it_says_nothing_about(plan: Plan, tmp_path: Path) -> None:
    checks = as_document(plan.checks)
    digest = digest_of(checks)
    assert checked_run("", "debian-trixie", digest) is None
    run = tmp_path / "run"
    shutil.copytree(RUN, run)
    with pytest.raises(UsageError, match="a run of debian-trixie"):
        checked_run(str(run), "debian-bookworm", digest)
    (run / CHECKS).write_text(as_json({"schema_version": 1, "checks": []}))
    with pytest.raises(UsageError, match="other checks"):
        checked_run(str(run), "debian-trixie", digest)
    (run / CHECKS).write_text(as_json(checks))
    assert checked_run(str(run), "debian-trixie", digest) == run.resolve()
