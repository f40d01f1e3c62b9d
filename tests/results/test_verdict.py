"""What fails a run, what is only noted, and that nothing passes by not having run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from results.compare import Rules, Side, compare
from results.records import Difference, Finding, Measure, Outcome, ProbeResult, Verdict
from results.verdict import NOTE, Case, Evidence, Required, judged, verdict


def finding(control: str, outcome: str = "pass", severity: str = "high", **more: str) -> Finding:
    return Finding.model_validate(
        {
            "control": control,
            "title": "T",
            "layer": "l",
            "severity": severity,
            "outcome": outcome,
            "message": "said",
            **more,
        }
    )


def probe(name: str, kind: str, *, succeeded: bool | None, **more: Any) -> ProbeResult:
    return ProbeResult.model_validate(
        {
            "id": name,
            "title": name,
            "kind": kind,
            "identity": "child",
            "attempt": "x",
            "succeeded": succeeded,
            "controls": ("c",),
            **more,
        }
    )


def measure(verdict: str, **more: Any) -> Measure:
    return Measure.model_validate(
        {
            "name": "m",
            "title": "M",
            "unit": "s",
            "better": "lower",
            "before": (1,),
            "after": (1,),
            "median_before": 1,
            "median_after": 1,
            "change": 0,
            "interval": None,
            "budget": 0.05,
            "verdict": verdict,
            "why": "w",
            **more,
        }
    )


USE = probe("use", "positive", succeeded=True)
STOPPED = probe("attack", "attack", succeeded=False, positive_control="use")
GOOD = Case(
    before=Evidence("baseline", [finding("c", "fail")], [USE, probe("attack", "attack", succeeded=True)]),
    after=Evidence("deployed", [finding("c")], [USE, STOPPED]),
    baked=Evidence("baked", [finding("c")], [USE, STOPPED]),
    comparison=compare("t", Side(), Side(), Side(), Rules()),
)


def against(case: Case) -> list[str]:
    """What speaks against a case; nothing, when it passes."""
    found = verdict(case)
    deciding = [one for one in found.reasons if not one.startswith(NOTE)]
    assert deciding
    return deciding if found.verdict is Verdict.FAIL else []


def with_after(findings: list[Finding] | None = None, probes: list[ProbeResult] | None = None) -> Case:
    after = GOOD.after
    return replace(
        GOOD,
        after=replace(
            after,
            findings=after.findings if findings is None else findings,
            probes=after.probes if probes is None else probes,
        ),
    )


def test_good_run_passes_with_figures() -> None:
    found = verdict(GOOD)
    assert found.verdict is Verdict.PASS
    assert found.reasons[:2] == (
        "1 of 1 control hold; 0 did as shipped",
        "1 of 1 attack stopped; 1 of them worked as shipped",
    )


def test_same_failure_on_both_machines_is_one_reason() -> None:
    broken = [finding("c", "fail")]
    case = replace(GOOD, after=replace(GOOD.after, findings=broken), baked=Evidence("baked", broken, [USE, STOPPED]))
    assert against(case) == ["c (high) does not hold on the deployed and baked machines: said"]


@pytest.mark.parametrize("outcome", ["fail", "error"])
@pytest.mark.parametrize("severity", ["critical", "high"])
def test_grave_control_fails_the_run_and_is_named(outcome: str, severity: str) -> None:
    (reason,) = against(with_after([finding("unit.x", outcome, severity)]))
    assert "unit.x" in reason
    assert "deployed" in reason


def test_broken_control_of_the_baked_image_fails_too() -> None:
    baked = Evidence("baked", [finding("c", "fail")], [USE, STOPPED])
    (reason,) = against(replace(GOOD, baked=baked))
    assert "c (high) does not hold on the baked machine" in reason


def test_light_and_waived_controls_are_only_noted() -> None:
    case = with_after([finding("a", "fail", "medium"), finding("b", "fail", waiver="until spring, by ann")])
    assert against(case) == []
    assert any("b is waived" in one for one in verdict(case).reasons)
    assert any("do" in one and ": a" in one for one in verdict(case).reasons)


@pytest.mark.parametrize("succeeded", [False, None])
def test_broken_product_fails(succeeded: bool | None) -> None:
    broken = probe("use", "positive", succeeded=succeeded)
    assert any("the product" in one for one in against(with_after(probes=[broken])))
    before = replace(GOOD.before, probes=[broken])
    assert any("on the baseline machine" in one for one in against(replace(GOOD, before=before)))


def test_attack_that_works_or_breaks_fails() -> None:
    for succeeded in (True, None):
        attack = probe("attack", "attack", succeeded=succeeded, positive_control="use")
        assert any("attack: attack on the deployed machine" in one for one in against(with_after(probes=[USE, attack])))


def test_attack_that_no_control_stops_is_noted() -> None:
    attack = probe("attack", "attack", succeeded=True, controls=())
    assert against(with_after(probes=[USE, attack])) == []


def test_denial_without_its_positive_control_proves_nothing() -> None:
    (reason,) = against(with_after(probes=[STOPPED]))
    assert "proves nothing" in reason


def test_drift_and_measures() -> None:
    assert GOOD.comparison is not None
    unexplained, explained = (
        Difference(path="a", left=1, right=2),
        Difference(path="b", left=1, right=2, explanation="e"),
    )

    def of(**more: Any) -> list[str]:
        assert GOOD.comparison is not None
        return against(replace(GOOD, comparison=GOOD.comparison.model_copy(update=more)))

    assert of(drift=(explained,)) == []
    assert of(drift=(unexplained, explained)) == ["unexplained difference at a: baked and deployed are not the same"]
    assert of(rebooted=(explained,)) == of(rebooted=()) == []
    assert of(rebooted=(unexplained,)) == ["not the same after one more reboot: a"]
    assert of(measures=(measure("regressed"),)) == ["M costs too much: w"]
    assert of(measures=(measure("inconclusive"), measure("void", budget=None))) == []
    assert len(of(measures=(measure("void"),))) == 1


def test_what_did_not_run_is_never_a_pass() -> None:
    empty = Evidence("deployed")
    assert against(replace(GOOD, baked=None)) == ["the hardened image was not examined"]
    assert against(replace(GOOD, comparison=None)) == ["nothing was compared"]
    assert against(replace(GOOD, after=empty)) == ["no control was judged on the deployed machine"]
    required = Required(frozenset({"c", "d"}), frozenset({"use", "other"}), frozenset({"boot"}))
    assert len(against(replace(GOOD, required=required))) == 5
    skipped = USE.model_copy(update={"outcome": Outcome.NOT_APPLICABLE, "succeeded": None})
    required = Required(probes=frozenset({"use"}))
    attack = probe("attack", "attack", succeeded=False)
    case = replace(with_after(probes=[skipped, attack]), required=required)
    assert against(case) == ["probe use did not run on the deployed machine"]


def test_baseline_attacks_prove_nothing_either_way() -> None:
    attacks = [probe("a", "attack", succeeded=True), probe("b", "attack", succeeded=False)]
    assert [one.outcome for one in judged(attacks, hardened=False)] == [Outcome.NOT_APPLICABLE] * 2
    again = judged(judged([USE, STOPPED], hardened=True), hardened=True)
    assert [one.outcome for one in again] == [Outcome.PASS, Outcome.PASS]
