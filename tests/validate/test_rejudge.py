"""Judging a run again: the same facts and checks, the same findings; anything else is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harden.check import Check
from results.base.errors import UsageError
from results.records import Finding, Findings, Key
from results.store import as_json
from validate import rejudge
from validate.audit.judge import judge

FACTS = {"schema": 1, "errors": {}, "sysctl": {"kernel.kptr_restrict": "2"}}
CHECK = Check(
    control="sysctl.kptr",
    title="Kernel addresses are hidden",
    layer="sysctl",
    severity="high",
    fact=("sysctl", "kernel.kptr_restrict"),
    read="raw",
    op="equals",
    expected="2",
    remediation="set it",
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of one stage, its findings judged from its facts."""
    monkeypatch.setattr(
        rejudge, "load_facts", lambda path: json.loads(path.read_text())
    )  # the shape is tested elsewhere
    stage = tmp_path / "hardened/after"
    stage.mkdir(parents=True)
    (tmp_path / rejudge.CHECKS).write_text(as_json(rejudge.as_document([CHECK])))
    (stage / "facts.json").write_text(json.dumps(FACTS))
    found = judge(rejudge.load_checks(tmp_path / rejudge.CHECKS), FACTS)
    key = Key(target="t", variant="hardened", phase="after", boot_id="b")
    findings = Findings(key=key, findings=tuple(Finding.model_validate(one) for one in found))
    (stage / "findings.json").write_text(as_json(findings))
    return tmp_path


def test_findings_that_follow_from_the_facts(run: Path) -> None:
    assert list(rejudge.differences(run)) == []


def test_a_finding_that_the_facts_do_not_bear_out_is_named(run: Path) -> None:
    facts = run / "hardened/after/facts.json"
    facts.write_text(facts.read_text().replace('"2"', '"0"'))
    assert list(rejudge.differences(run)) == ["hardened/after: sysctl.kptr: the run says pass, its facts say fail"]


def test_findings_without_facts(run: Path) -> None:
    (run / "hardened/after/facts.json").unlink()
    assert list(rejudge.differences(run)) == ["hardened/after: findings without the facts that they were judged from"]


def test_a_run_without_checks_has_nothing_to_say(run: Path) -> None:
    (run / rejudge.CHECKS).unlink()
    assert list(rejudge.differences(run)) == []


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"schema_version": 2, "checks": []}', '{"schema_version": 1, "checks": [1]}']
)
def test_checks_of_another_shape(run: Path, content: str) -> None:
    (run / rejudge.CHECKS).write_text(content)
    with pytest.raises(UsageError, match=r"checks\.json"):
        list(rejudge.differences(run))
