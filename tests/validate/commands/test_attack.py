"""What the session makes of two machines' answers."""

from __future__ import annotations

from typing import Literal

import pytest

from results.records import Outcome, ProbeResult
from results.verdict import judged
from validate.commands.attack import Row, lines, rows


def probe(
    succeeded: bool | None, kind: Literal["attack", "positive"] = "attack", controls: tuple[str, ...] = ("a.b",)
) -> ProbeResult:
    return ProbeResult(
        id=f"child.{kind}",
        title="It is tried",
        kind=kind,
        identity="child",
        attempt="x",
        succeeded=succeeded,
        controls=controls,
    )


def row(before: bool | None, after: bool | None, controls: tuple[str, ...] = ("a.b",)) -> Row:
    first = judged([probe(before, controls=controls)], hardened=False)
    return rows(first, judged([probe(after, controls=controls)], hardened=True))[0]


@pytest.mark.parametrize(
    ("before", "after", "controls", "fate", "failed"),
    [
        (True, False, ("a.b",), "stopped by the hardening", False),
        (False, False, ("a.b",), "stopped before, too", False),
        (True, True, ("a.b",), "NOT STOPPED", True),
        (True, True, (), "no control is meant to stop it", False),
        (True, None, ("a.b",), "BROKE", True),
        (None, False, ("a.b",), "BROKE", True),
    ],
)
def test_fate_of_an_attack(
    before: bool | None, after: bool | None, controls: tuple[str, ...], fate: str, *, failed: bool
) -> None:
    seen = row(before, after, controls=controls)
    assert (seen.fate, seen.failed) == (fate, failed)


@pytest.mark.parametrize(("before", "after", "failed"), [(True, True, False), (True, False, True), (False, True, True)])
def test_a_use_has_to_work_on_both_machines(before: bool, after: bool, failed: bool) -> None:
    seen = rows(
        judged([probe(before, "positive")], hardened=False),
        judged([probe(after, "positive")], hardened=True),
    )
    assert seen[0].failed is failed
    assert any(line.startswith("DOES NOT WORK") for line in lines(seen)) is failed


def test_every_attack_is_told_and_counted() -> None:
    told = list(lines([row(True, False), row(True, True, controls=())]))
    assert told[0].startswith("stopped by the hardening: child.attack, as child")
    assert told[-1].startswith("1 of 2 attacks stopped, 1 of them worked without the hardening")
    assert row(True, True).after.outcome is Outcome.FAIL
