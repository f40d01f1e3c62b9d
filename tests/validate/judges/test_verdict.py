from __future__ import annotations

from dataclasses import replace

import pytest

from harden.product import DEFAULT_PRODUCT, load_product
from results.base.errors import InfrastructureError
from results.judges import Audit, Kernel, Lynis, Remark
from results.records import Verdict
from results.store import as_json
from validate.judges.answers import Wanted, parse_answers
from validate.judges.exposure import parse_scores
from validate.judges.kernel import KernelState, merged, parse_rows
from validate.judges.run import Opinion
from validate.judges.verdict import Question, judged

UNITS = ("dots-family-daemon.service", "dots-family-monitor@kim.service", "dots-family-filter.service")
STATE = KernelState(cmdline="", config="", sysctl="")
OLD = Remark(kind="suggestion", test="AUTH-9328", text="Default umask could be more strict like 027")
LEFT = Remark(kind="warning", test="FILE-6310", text="Separate /home")
QUESTION = Question(
    target="debian-trixie",
    started="2026-11-24T07:00:00Z",
    product=load_product(DEFAULT_PRODUCT),
    child="kim",
    images={"baseline": "sha256:0", "hardened": "sha256:1"},
    answers=parse_answers("- {test: FILE-6310, reason: one partition is enough}", ()),
    wanted=Wanted(index={"debian-trixie": 85}, exposure={"daemon": 2.5, "filter": 2.0, "other.service": 1.0}),
)


def opinion(index: int, *remarks: Remark, score: float = 1.5, units: tuple[str, ...] = UNITS) -> Opinion:
    lynis = Lynis(version="3", index=index, tests=250, seconds=1, remarks=remarks)
    return Opinion(lynis, dict.fromkeys(units, score), STATE)


BEFORE = opinion(63, OLD, LEFT, score=9.2)


def test_good_words_pass() -> None:
    made = judged(QUESTION, BEFORE, opinion(85, LEFT), Kernel())
    assert made.verdict is Verdict.PASS
    assert not made.why
    assert made.gone == (OLD,)  # answered or not: it is the hardening's answer
    assert [(one.unit, one.before, one.after, one.wanted) for one in made.exposures][:2] == [
        (UNITS[0], 9.2, 1.5, 2.5),
        (UNITS[1], 9.2, 1.5, None),
    ]
    assert as_json(made)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (opinion(84, LEFT), "index is 84, and at least 85 is wanted"),
        (opinion(90, LEFT, OLD), "nobody has answered Lynis' suggestion AUTH-9328"),
        (opinion(90, LEFT, score=2.1), "dots-family-filter.service: systemd's exposure score is 2.1, and at most 2.0"),
        (opinion(90, LEFT, units=UNITS[1:]), "no exposure score for dots-family-daemon.service"),
    ],
)
def test_each_reason_against_it_fails(after: Opinion, words: str) -> None:
    made = judged(QUESTION, BEFORE, after, Kernel())
    assert made.verdict is Verdict.FAIL
    assert len(made.why) == 1
    assert words in made.why[0]


def test_a_target_without_a_wanted_index_is_only_shown() -> None:
    other = Question(**{**vars(QUESTION), "target": "debian-bookworm"})
    assert judged(other, BEFORE, opinion(64, LEFT), Kernel()).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"[1]", b'[{"unit": "a"}]', b'[{"unit": "a", "exposure": "nan"}]', b'[{"unit": "a", "exposure": 11}]'],
)
def test_scores_that_are_none_are_refused(raw: bytes) -> None:
    if raw == b"{}":
        assert parse_scores(raw) == {}
        return
    with pytest.raises(InfrastructureError, match="systemd-analyze"):
        parse_scores(raw)


ROW = (
    b'{"option_name": "kernel.kptr_restrict", "type": "sysctl", "reason": "self_protection", "decision": "kspp", '
    b'"desired_val": "2", "check_result": "OK", "check_result_bool": true}'
)


def test_two_expectations_of_one_name_stay_two() -> None:
    bad = ROW.replace(b'"OK"', b'"FAIL: \\"0\\""').replace(b"true", b"false")
    made = merged("1", parse_rows(b"[" + bad + b"]"), parse_rows(b"[" + ROW + b"," + ROW + b"]"))
    assert [(one.before, one.after) for one in made.values] == [('FAIL: "0"', "OK"), (None, "OK")]
    assert (made.before, made.after) == (0, 2)


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", ROW, b"[" + ROW.replace(b"sysctl", b"<b>") + b"]"])
def test_rows_that_are_none_are_refused(raw: bytes) -> None:
    with pytest.raises(InfrastructureError, match="kernel-hardening-checker"):
        parse_rows(raw)


def test_the_record_tells_how_much_faster_our_own_audit_is() -> None:
    assert judged(QUESTION, BEFORE, opinion(85, LEFT), Kernel()).times_faster is None
    ours = replace(opinion(85, LEFT), audit=Audit(seconds=4.0, checks=1000))
    assert judged(QUESTION, BEFORE, ours, Kernel()).times_faster == pytest.approx((1 / 250) / (4 / 1000))
