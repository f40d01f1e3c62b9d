"""Puts waivers on findings: pure. A waived finding keeps its outcome, and says who answers for it."""

from __future__ import annotations

from collections.abc import Sequence

from results.records import Finding, Outcome, Waiver, Waivers

NOT_NEEDED = "not needed"


def is_expired(waiver: Waiver, now: str) -> bool:
    """Whether `now` (UTC, ISO 8601) is past the end of the waiver's last day."""
    return now[:10] > waiver.until


def expired(waivers: Waivers | None) -> tuple[Waiver, ...]:
    """Those that held once, and do no longer."""
    return tuple(one for one in waivers.waivers if is_expired(one, waivers.now)) if waivers else ()


def waived(findings: Sequence[Finding], waivers: Waivers | None) -> tuple[Finding, ...]:
    """The findings, each with its waiver in words where a valid one stands; outcomes stay as they are."""
    if not waivers:
        return tuple(findings)
    valid = {one.control: one for one in waivers.waivers if not is_expired(one, waivers.now)}
    return tuple(
        one.model_copy(update={"waiver": _words(valid[one.control], one.outcome)}) if one.control in valid else one
        for one in findings
    )


def _words(waiver: Waiver, outcome: Outcome) -> str:
    told = f"{waiver.owner}, until {waiver.until}: {waiver.reason}"
    return f"{NOT_NEEDED} ({told})" if outcome in (Outcome.PASS, Outcome.NOT_APPLICABLE) else told
