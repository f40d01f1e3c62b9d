"""junit.xml: every check as a test case, for CI systems. Made with a serialiser, so that no text is markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from results.records import Difference, Finding, Measure, Outcome, ProbeResult, Verdict
from results.report.view import View
from results.store import Stage
from results.text import cut, one_line, shown
from results.text import value as shown_value
from results.verdict import judged

LONGEST = 8_000


@dataclass(frozen=True)
class Case:
    """One test case; `kind` is failure, error, skipped or empty for a pass."""

    name: str
    group: str
    kind: str = ""
    message: str = ""
    detail: str = ""
    seconds: float = 0.0


def render(seen: View) -> bytes:
    """Render the file, UTF-8."""
    root = ET.Element("testsuites", name=shown(f"dots-family {seen.record.target}"))
    totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for name, cases in _suites(seen):
        counts = _add(root, name, list(cases), seen.record.started)
        totals = {key: totals[key] + counts[key] for key in totals}
    for key, count in totals.items():
        root.set(key, str(count))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode()


def _suites(seen: View) -> Iterator[tuple[str, Iterable[Case]]]:
    run = seen.run
    yield "run", [_run(seen)]
    for name, stage in (("deployed", run.after), ("baked", run.baked)):
        if stage and stage.findings:
            yield f"controls.{name}", [_control(one) for one in stage.findings.findings]
        if stage and stage.probes:
            yield f"probes.{name}", _probes(stage, hardened=True)
    if run.before and run.before.probes:
        uses = [one for one in _probes(run.before, hardened=False) if one.group == "positive"]
        yield "probes.shipped", uses
    if run.comparison:
        yield "performance", [_measure(one) for one in run.comparison.measures]
        yield "drift", [_difference(one) for one in run.comparison.drift]
        if run.comparison.rebooted is not None:
            yield "drift.reboot", [_difference(one) for one in run.comparison.rebooted]


def _add(root: ET.Element, name: str, cases: list[Case], started: str) -> dict[str, int]:
    counts = {
        "tests": len(cases),
        "failures": sum(one.kind == "failure" for one in cases),
        "errors": sum(one.kind == "error" for one in cases),
        "skipped": sum(one.kind == "skipped" for one in cases),
    }
    suite = ET.SubElement(root, "testsuite", name=name, timestamp=shown(started.rstrip("Z")))
    for key, count in counts.items():
        suite.set(key, str(count))
    suite.set("time", f"{sum(one.seconds for one in cases):.3f}")
    for one in cases:
        case = ET.SubElement(
            suite,
            "testcase",
            name=one_line(one.name),
            classname=one_line(f"{name}.{one.group}"),
            time=f"{one.seconds:.3f}",
        )
        if one.kind:
            told = ET.SubElement(case, one.kind, message=one_line(one.message))
            told.text = shown(cut(one.detail, LONGEST)) or None
    return counts


def _run(seen: View) -> Case:
    record = seen.record
    kind = {Verdict.PASS: "", Verdict.FAIL: "failure"}.get(record.verdict, "error")
    message = record.error or (seen.reasons[0] if seen.reasons else "")
    return Case("verdict", "run", kind, message or str(record.verdict), "\n".join(record.why))


def _control(one: Finding) -> Case:
    kind = {Outcome.FAIL: "failure", Outcome.ERROR: "error", Outcome.NOT_APPLICABLE: "skipped"}.get(one.outcome, "")
    detail = [
        f"{one.title} ({one.severity})",
        f"expected: {shown_value(one.expected)}",
        f"observed: {shown_value(one.observed)}",
        f"evidence: {', '.join(one.evidence)}",
        f"what to do: {one.remediation}",
        f"defined in: {one.source}",
    ]
    return Case(one.control, one.layer, kind, one.message, "\n".join(detail))


def _probes(stage: Stage, *, hardened: bool) -> list[Case]:
    return [_probe(one) for one in judged(stage.probes.probes if stage.probes else (), hardened=hardened)]


def _probe(one: ProbeResult) -> Case:
    kind = {
        Outcome.FAIL: "failure",
        Outcome.ERROR: "error",
        Outcome.WARN: "skipped",
        Outcome.NOT_APPLICABLE: "skipped",
    }.get(one.outcome, "")
    detail = "\n".join([one.title, f"by {one.identity}: {one.attempt}", *one.evidence])
    return Case(one.id, one.kind, kind, one.message, detail, one.seconds)


def _measure(one: Measure) -> Case:
    kind = {"regressed": "failure", "inconclusive": "skipped", "not judged": "skipped", "void": "error"}
    detail = f"{one.title}: {one.median_before:.6g} before, {one.median_after:.6g} after, {one.unit}"
    return Case(one.name, "measure", kind.get(one.verdict, ""), one.why or one.verdict, detail)


def _difference(one: Difference) -> Case:
    detail = f"baked: {shown_value(one.left)}\ndeployed: {shown_value(one.right)}\n{one.explanation}"
    kind = "" if one.explanation else "failure"
    return Case(one.path, "fact", kind, one.explanation or "differs without a written reason", detail)
