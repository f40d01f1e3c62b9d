"""Judging: the worst of a control's checks, in plain words, and never a pass for what nobody looked at."""

from __future__ import annotations

import ast
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from results.records import Finding
from validate.audit import judge as judge_module
from validate.audit.judge import judge, summary
from validate.audit.offline import judge_file, load_checks

FACTS: dict[str, Any] = {
    "errors": {"sshd": "sshd: not on this machine", "units.broken.service.process": "gone"},
    "units": {
        "m@kim.service": {"properties": {"User": "kim"}, "process": {"uid": ["kim"]}},
        "m@uma.service": {"properties": {"User": "root"}, "process": None},
        "broken.service": {"properties": {}, "process": None},
    },
    "sysctl": {"kernel.kptr_restrict": "2", "kernel.odd": "1 2"},
    "files": {"/etc/shadow": {"mode": "0640"}, "/etc/gone": None, "/d": {"listed": True}, "/s": {"listed": False}},
    "apparmor": {"profiles": {"a": "enforce"}},
    "audit": {"rules": ["r1", "r2"], "enabled": 1},
    "network": {"listeners": [{"port": 22, "user": "root"}, {"port": 8080, "user": "filter"}]},
}


def check(*fact: str, op: str = "equals", expected: Any = None, read: str = "raw", **more: Any) -> dict[str, Any]:
    basis = {"control": "c", "title": "T", "layer": "l", "severity": "high", "remediation": "do", "references": {}}
    return {**basis, "fact": fact, "op": op, "expected": expected, "read": read, "source": "x.yaml:1", **more}


def outcome(*checks: dict[str, Any]) -> tuple[str, str]:
    (finding,) = judge(checks, FACTS)
    return finding["outcome"], finding["message"]


def test_a_fact_as_expected_passes() -> None:
    said = outcome(check("sysctl", "kernel.kptr_restrict", expected="2"))
    assert said == ("pass", 'sysctl.kernel.kptr_restrict is "2", as expected')


def test_a_fact_that_differs_fails_in_plain_words() -> None:
    said = outcome(check("sysctl", "kernel.kptr_restrict", expected="1"))
    assert said == ("fail", 'sysctl.kernel.kptr_restrict is "2", expected "1"')


@pytest.mark.parametrize(
    ("facts_path", "state"),
    [
        (("sysctl", "kernel.nothing"), "fail"),
        (("apparmor", "profiles", "b"), "fail"),
        (("audit", "typo"), "error"),
        (("network", "listeners", "port=9", "user"), "fail"),
        (("nothing", "at", "all"), "error"),
        (("units", "nothing.service", "process"), "error"),
        (("units", "x@*.service", "process"), "error"),
        (("files", "/etc/not-asked", "mode"), "error"),
        (("sshd", "permitrootlogin"), "error"),
        (("units", "broken.service", "process", "uid"), "error"),
        (("sysctl", "kernel.kptr_restrict", "deeper"), "error"),
        (("files", "/etc/gone", "mode"), "fail"),
        (("units", "m@uma.service", "process", "uid"), "fail"),
    ],
)
def test_what_was_not_seen_never_passes(facts_path: tuple[str, ...], state: str) -> None:
    assert outcome(check(*facts_path, expected="x"))[0] == state


@pytest.mark.parametrize(
    ("facts_path", "state"),
    [
        (("apparmor", "profiles", "b"), "pass"),
        (("apparmor", "profiles", "a"), "fail"),
        (("files", "/etc/gone"), "pass"),
        (("files", "/etc/gone", "mode"), "pass"),
        (("files", "/etc/not-asked"), "error"),
        (("files", "/d/x"), "pass"),
        (("files", "/d/folder/x", "mode"), "pass"),
        (("files", "/d/*.conf"), "pass"),
        (("files", "/etc/gone/x"), "pass"),
        (("files", "/s/x"), "error"),
        (("files", "/s/*"), "error"),
        (("units", "nothing.service"), "error"),
        (("audit", "typo"), "error"),
        (("sysctl", "kernel.nothing"), "pass"),
        (("units", "m@kim.service", "properties", "Nothing"), "pass"),
        (("sshd", "x"), "error"),
        (("nothing",), "error"),
        (("nothing", "at"), "error"),
    ],
)
def test_absent_passes_only_where_somebody_looked(facts_path: tuple[str, ...], state: str) -> None:
    assert outcome(check(*facts_path, op="absent"))[0] == state


def test_exists() -> None:
    assert outcome(check("apparmor", "profiles", "a", op="exists"))[0] == "pass"
    assert outcome(check("apparmor", "profiles", "b", op="exists"))[0] == "fail"
    assert outcome(check("files", "/etc/gone", op="exists"))[0] == "fail"
    assert outcome(check("sshd", "x", op="exists"))[0] == "error"


def test_null_can_be_expected() -> None:
    assert outcome(check("units", "m@uma.service", "process", expected=None))[0] == "pass"
    assert outcome(check("units", "m@uma.service", "process", expected="x"))[0] == "fail"


def test_the_error_of_the_collector_is_told() -> None:
    state, message = outcome(check("sshd", "permitrootlogin", expected="no"))
    assert state == "error"
    assert "sshd: not on this machine" in message


def test_a_glob_holds_only_when_every_match_holds() -> None:
    (finding,) = judge([check("units", "m@*.service", "properties", "User", expected="kim")], FACTS)
    assert finding["outcome"] == "fail"
    assert finding["evidence"] == ["units.m@kim.service.properties.User", "units.m@uma.service.properties.User"]
    assert finding["observed"] == "root"


def test_a_list_is_searched_by_its_fields() -> None:
    assert outcome(check("network", "listeners", "port=8080", "user", expected="filter"))[0] == "pass"
    assert outcome(check("network", "listeners", "port=9", op="absent"))[0] == "pass"
    assert outcome(check("network", "listeners", "*", "user", expected="root"))[0] == "fail"


def test_checks_of_one_control_make_one_finding_with_the_worst() -> None:
    checks = [
        check("sysctl", "kernel.kptr_restrict", expected="2"),
        check("audit", "nothing", expected="2"),
        check("sysctl", "kernel.odd", expected="3", severity="critical"),
    ]
    (finding,) = judge(checks, FACTS)
    assert finding["outcome"] == "error"
    assert finding["severity"] == "critical"
    assert len(finding["evidence"]) == 3
    (finding,) = judge([checks[0], checks[2], {**checks[2], "fact": ("audit", "enabled")}], FACTS)
    assert finding["outcome"] == "fail"
    assert finding["expected"] == {"sysctl.kernel.odd": "3", "audit.enabled": "3"}
    assert finding["observed"] == {"sysctl.kernel.odd": "1 2", "audit.enabled": 1}


def test_several_passing_facts_are_counted() -> None:
    good = check("sysctl", "kernel.kptr_restrict", expected="2")
    assert (
        outcome(good, {**good, "fact": ("sysctl", "kernel.odd"), "expected": "1 2"})[1] == "all 2 facts are as expected"
    )


def test_a_check_that_makes_no_sense_is_an_error() -> None:
    for wrong in ({"op": "resembles"}, {"read": "backwards"}, {"op": "matches", "expected": "("}, {"op": "at_most"}):
        assert outcome(check("sysctl", "kernel.odd", **wrong))[0] == "error"


def test_findings_are_records() -> None:
    checks = [check("sysctl", "kernel.odd", expected=["1"], op="contains", read="words", note="see x")]
    (finding,) = judge(checks, FACTS)
    record = Finding.model_validate(finding)
    assert record.source == "x.yaml:1"


def test_messages_are_one_line_and_bounded() -> None:
    facts = {"errors": {}, "network": {"nft": "line\n" * 50_000}}
    (finding,) = judge([check("network", "nft", expected="x")], facts)
    assert "\n" not in finding["message"]
    assert len(finding["message"]) < 500
    assert len(finding["observed"]) < 3000


def finding(severity: str, outcome: str) -> dict[str, Any]:
    return {"control": f"{severity}-{outcome}", "severity": severity, "outcome": outcome}


def test_summary_fails_on_critical_and_high_alone() -> None:
    mild = [finding("medium", "fail"), finding("low", "error"), finding("high", "warn"), finding("critical", "pass")]
    told = summary(mild)
    assert not told["failed"]
    assert told["severities"]["medium"] == {"fail": 1}
    assert (
        told["text"] == "4 controls: 1 pass, 1 warn, 1 fail, 1 error; not holding: 0 critical, 0 high, 1 medium, 1 low"
    )
    for bad in (finding("high", "error"), finding("critical", "fail")):
        told = summary([*mild, bad])
        assert told["failed"]
        assert told["blocking"] == [bad["control"]]


def test_nothing_judged_is_no_pass() -> None:
    assert summary([])["failed"]


def test_offline(tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text('{"errors": {}, "sysctl": {"a": "1"}}')
    (tmp_path / "checks.json").write_text('[{"control": "c", "fact": ["sysctl", "a"]}]')
    (found,) = judge_file(tmp_path / "facts.json", [check("sysctl", "a", expected="1")])
    assert found["outcome"] == "pass"
    assert load_checks(tmp_path / "checks.json")[0]["control"] == "c"
    (tmp_path / "checks.json").write_text("{}")
    with pytest.raises(ValueError, match="no list of checks"):
        load_checks(tmp_path / "checks.json")


def test_two_hundred_checks_take_less_than_fifty_milliseconds() -> None:
    checks = [
        check("units", "m@*.service", "properties", "User", expected="kim", control=f"c{number}")
        for number in range(200)
    ]
    facts = {**FACTS, "errors": {f"sysctl.{number}": "x" for number in range(20)}}
    best = min(_seconds(checks, facts) for _ in range(5))
    assert best < 0.05


def _seconds(checks: list[dict[str, Any]], facts: dict[str, Any]) -> float:
    started = time.process_time()
    judge(checks, facts)
    return time.process_time() - started


ALLOWED = {"__future__", "collections", "collections.abc", "dataclasses", "fnmatch", "json", "math", "re", "typing"}


@pytest.mark.parametrize("name", ["judge", "operations", "paths"])
def test_judging_imports_nothing_that_could_look_at_the_world(name: str) -> None:
    path = Path(judge_module.__file__).with_name(f"{name}.py")
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for imported in names:
            assert imported in ALLOWED or imported.startswith("validate.audit."), imported
            assert imported.startswith("validate.") or imported.split(".")[0] in sys.stdlib_module_names
        assert not (isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("open", "print", "eval", "exec"))
