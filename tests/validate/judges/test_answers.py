from __future__ import annotations

import pytest

from results.base.errors import UsageError
from results.judges import Answer, Lynis, Remark
from validate.judges.answers import answered, load_answers, load_wanted, parse_answers, unused
from validate.plan import load_plan

KNOWN = {"ssh.few-attempts", "files.shadow"}
TEXT = """
- {test: SSH-7408, about: MaxAuthTries, controls: [ssh.few-attempts]}
- {test: SSH-7408, reason: the rest is as it has to be}
- {test: FILE-6310, controls: [files.shadow], reason: one partition is enough here}
"""


def remark(test: str, about: str = "") -> Remark:
    return Remark(kind="suggestion", test=test, text="Do something", about=about)


def said(*remarks: Remark) -> Lynis:
    return Lynis(version="3", index=70, tests=1, seconds=1, remarks=remarks)


def test_the_files_of_the_repository_are_right() -> None:
    plan = load_plan()
    load_answers(plan.catalogue.by_id)
    assert load_wanted().index["debian-trixie"] == 85


def test_the_answer_with_the_most_words_counts() -> None:
    lynis = said(remark("SSH-7408", "MaxAuthTries (set 6 to 3)"), remark("SSH-7408", "Port"), remark("AUTH-9286"))
    first, second, third = (one.answer for one in answered(lynis, parse_answers(TEXT, KNOWN)).remarks)
    assert first == Answer(controls=("ssh.few-attempts",))
    assert second == Answer(reason="the rest is as it has to be")
    assert third is None


def test_answers_to_nothing_are_told() -> None:
    entries = parse_answers(TEXT, KNOWN)
    assert [one.test for one in unused(entries, said(remark("FILE-6310")))] == ["SSH-7408", "SSH-7408"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {test: SSH-7408}", "needs `controls`, or a `reason`"),
        ("- {test: SSH-7408, reason: brief}", "needs `controls`, or a `reason`"),
        ("- {test: ssh, reason: long enough a reason}", "test"),
        ("- {test: SSH-7408, reason: long enough a reason, who: me}", "who: unknown key"),
        ("- {test: SSH-7408, controls: [no.such-control]}", "no control is named"),
        ("- {test: A1, reason: long enough a reason}\n- {test: A1, reason: long enough a reason}", "answered twice"),
        ("answers: []", "tuple"),
    ],
)
def test_wrong_answers_are_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_answers(text, KNOWN)
