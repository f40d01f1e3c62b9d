"""Judges facts: controls in, findings out. Pure, standard library only, the same on the host and in the machine.

What could not be looked at is an `error`, never a pass. What was looked at and is not there (null, or no key in a
collection that holds all there is) fails, but for the checks that want it absent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple  # no dataclasses: they cost a third of a second in an emulated machine

from validate.audit.operations import CannotCompareError, compare, quoted
from validate.audit.paths import Found, errors_of, expand, is_pattern

WORST_FIRST = ("error", "fail", "warn", "pass", "not-applicable")
SEVERITIES = ("critical", "high", "medium", "low")
BLOCKING = ("critical", "high")
SHOWN = 3
"""Complaints quoted in a finding's message; the evidence names all."""
KEPT = 2000
"""Characters of an observed value kept in a finding; facts.json has the rest."""

CheckLike = Mapping[str, Any]


class Judged(NamedTuple):
    """One check against one place in the facts."""

    check: CheckLike
    outcome: str
    dotted: str
    message: str
    observed: Any = None


def _judge_found(check: CheckLike, found: Found) -> tuple[str, str]:
    """Outcome and what is to say of one place, when the collector had no trouble with it."""
    operation = check["op"]
    if operation in ("absent", "exists"):
        return _judge_presence(operation, found)
    if found.state == "value" or (found.state == "none" and operation in ("equals", "one_of")):
        return _judge_value(check, found)
    if found.state in ("none", "nothing"):
        return "fail", "is not there"
    pattern = any(is_pattern(segment) for segment in check["fact"])
    return "error", "nothing matches" if pattern else "was not collected"


def _judge_presence(operation: str, found: Found) -> tuple[str, str]:
    if found.state == "missing":
        return "error", "was not collected"
    there = found.state == "value"
    if operation == "exists":
        return ("pass", "is there") if there else ("fail", "is not there")
    return ("fail", f"is there ({quoted(found.value)}), expected not to be") if there else ("pass", "is not there")


def _judge_value(check: CheckLike, found: Found) -> tuple[str, str]:
    try:
        complaint = compare(check["read"], check["op"], found.value, check["expected"])
    except CannotCompareError as error:
        return ("fail", "is not there") if found.state == "none" else ("error", f"cannot be judged: {error}")
    if not complaint:
        return "pass", f"is {quoted(found.value)}, as expected"
    return "fail", "is not there" if found.state == "none" else complaint


def judge_check(check: CheckLike, facts: Mapping[str, Any]) -> list[Judged]:
    """One check against every place that it looks at; at least one result."""
    if check["op"] == "inapplicable":
        return [Judged(check, "not-applicable", "", str(check.get("note") or ""))]
    errors = facts.get("errors")
    results = []
    for found in expand(facts, check["fact"]):
        trouble = errors_of(errors, found) if isinstance(errors, Mapping) else []
        if trouble:
            outcome, message = "error", f"could not be looked at: {quoted(trouble[0])}"
        else:
            outcome, message = _judge_found(check, found)
        results.append(Judged(check, outcome, found.dotted, f"{found.dotted} {message}", found.value))
    return results


def _bounded(value: Any) -> Any:
    """The value itself, or its beginning as text when it is too long for a report."""
    text = str(value)
    return value if len(text) <= KEPT else text[:KEPT] + "…"


def _message(results: Sequence[Judged], worst: str) -> str:
    said = [one.message for one in results if one.outcome == worst]
    if worst == "pass":
        return said[0] if len(said) == 1 else f"all {len(said)} facts are as expected"
    if worst == "not-applicable":
        return "; ".join(dict.fromkeys(said))
    more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
    notes = dict.fromkeys(str(one.check.get("note") or "") for one in results if one.outcome == worst)
    return "; ".join(said[:SHOWN]) + more + "".join(f" ({note})" for note in notes if note)


def _values(results: Sequence[Judged], worst: str) -> tuple[Any, Any]:
    """Expected and observed: of the one bad place, or by dotted path when there are several."""
    bad = [one for one in results if one.outcome == worst]
    if len(bad) == 1:
        return bad[0].check["expected"], _bounded(bad[0].observed)
    expected = {one.dotted: one.check["expected"] for one in bad}
    return expected, {one.dotted: _bounded(one.observed) for one in bad}


def _finding(control: str, results: Sequence[Judged]) -> dict[str, Any]:
    worst = min((one.outcome for one in results), key=WORST_FIRST.index)
    lead = next(one.check for one in results if one.outcome == worst)
    expected, observed = _values(results, worst)
    severities = {str(one.check["severity"]) for one in results}
    return {
        "control": control,
        "title": lead["title"],
        "layer": lead["layer"],
        "severity": min(severities, key=SEVERITIES.index),
        "outcome": worst,
        "message": _message(results, worst),
        "expected": expected,
        "observed": observed,
        "evidence": list(dict.fromkeys(one.dotted for one in results if one.dotted)),
        "remediation": lead["remediation"],
        "references": dict(lead.get("references") or {}),
        "source": lead.get("source") or "",
    }


def judge(checks: Iterable[CheckLike], facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One finding for each control, in the order in which controls first appear; the worst of its checks counts."""
    by_control: dict[str, list[Judged]] = {}
    for check in checks:
        by_control.setdefault(check["control"], []).extend(judge_check(check, facts))
    return [_finding(control, results) for control, results in by_control.items()]


def summary(findings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts by severity and outcome; `failed` when a critical or high control fails or could not be judged."""
    known = list(findings)
    outcomes = Counter(str(one["outcome"]) for one in known)
    severities = {severity: Counter[str]() for severity in SEVERITIES}
    for one in known:
        severities[str(one["severity"])][str(one["outcome"])] += 1
    broken = [one for one in known if str(one["outcome"]) in ("error", "fail")]
    blocking = [str(one["control"]) for one in broken if str(one["severity"]) in BLOCKING]
    counted = ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in reversed(WORST_FIRST) if outcomes[outcome])
    by_severity = ", ".join(f"{_broken(severities[severity])} {severity}" for severity in SEVERITIES)
    return {
        "total": len(known),
        "outcomes": dict(outcomes),
        "severities": {severity: dict(counts) for severity, counts in severities.items()},
        "blocking": blocking,
        "failed": bool(blocking) or not known,
        "text": f"{len(known)} controls: {counted or 'none judged'}; not holding: {by_severity}",
    }


def _broken(counts: Counter[str]) -> int:
    return counts["error"] + counts["fail"]
