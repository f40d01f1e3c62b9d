"""results.sarif: what fails or warns, at the control's line in this repository, for code hosts (SARIF 2.1.0)."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from results.records import Finding, Outcome, Verdict
from results.report.view import Control, View
from results.text import cut, one_line, shown

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
CONTROLS = "harden/controls"
SECURITY_SEVERITY = {"critical": "9.5", "high": "8.0", "medium": "5.0", "low": "2.0"}
"""GitHub's scale: above 9 critical, above 7 high, above 4 medium."""

SAFE = re.compile(r"(?P<path>[\w@-][\w.@-]*(?:/[\w@-][\w.@-]*)*)(?::(?P<line>[1-9]\d{0,6}))?")
REPORTED = (Outcome.FAIL, Outcome.WARN)


def render(seen: View) -> str:
    """Render the file."""
    controls = [one for one in seen.controls if one.outcome is not None]
    run = {
        "tool": {"driver": {"name": "dots-family-validate", "rules": [_rule(one.finding) for one in controls]}},
        "automationDetails": {"id": f"dots-family/{_word(seen.record.target)}/{_word(seen.record.workload)}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(seen, controls)],
        "results": [_result(one, index) for index, one in enumerate(controls) if one.outcome in REPORTED],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=1) + "\n"


def _word(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text, flags=re.ASCII)[:60]


def _rule(one: Finding) -> dict[str, Any]:
    references = [f"{name}: {', '.join(ids)}" for name, ids in sorted(one.references.items())]
    help_text = "\n".join([one.remediation, *(f"Evidence for {line}" for line in references)]) or one.title
    return {
        "id": one_line(one.control),
        "shortDescription": {"text": one_line(one.title)},
        "fullDescription": {"text": one_line(f"{one.title}. Layer {one.layer}, severity {one.severity}.")},
        "help": {"text": shown(cut(help_text, 4000))},
        "defaultConfiguration": {"level": _level(one)},
        "properties": {
            "tags": ["security", one_line(one.layer)],
            "security-severity": SECURITY_SEVERITY[one.severity],
        },
    }


def _level(one: Finding) -> str:
    return "error" if one.severity in ("critical", "high") else "warning"


def _machines(one: Control) -> str:
    names = [name for name, outcome in (("deployed", one.after), ("baked", one.baked)) if outcome in REPORTED]
    return " and ".join(names)


def _location(source: str) -> tuple[str, int]:
    """Path and line in the repository; the folder of the controls where a record names nothing usable."""
    found = SAFE.fullmatch(source)
    if not found or not source.startswith(CONTROLS):
        return CONTROLS, 1
    return found["path"], int(found["line"] or 1)


def _result(one: Control, index: int) -> dict[str, Any]:
    finding = one.finding
    path, line = _location(finding.source)
    # by name, not by line, so that an edit elsewhere in the file does not open the same alert again
    fingerprint = hashlib.sha256(f"{path}:{finding.control}".encode("utf-8", "backslashreplace")).hexdigest()[:16]
    words = f"{finding.message} ({_machines(one)} machine). {finding.remediation}"
    return {
        "ruleId": one_line(finding.control),
        "ruleIndex": index,
        "level": _level(finding) if finding.outcome is Outcome.FAIL else "warning",
        "message": {"text": shown(cut(words, 4000))},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": path, "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": line},
                }
            }
        ],
        "partialFingerprints": {"primaryLocationLineHash": f"{fingerprint}:1"},
    }


def _invocation(seen: View, controls: list[Control]) -> dict[str, Any]:
    """How the run ended, and what could not be looked at: that is the tool's trouble, not a result."""
    unseen = [one for one in controls if one.outcome is Outcome.ERROR]
    return {
        "executionSuccessful": seen.record.complete and seen.record.verdict in (Verdict.PASS, Verdict.FAIL),
        "exitCode": seen.record.exit_code,
        "toolExecutionNotifications": [
            {
                "level": "error",
                "message": {"text": one_line(f"{one.finding.control}: {one.finding.message}")},
                "associatedRule": {"id": one_line(one.finding.control)},
            }
            for one in unseen
        ],
    }
