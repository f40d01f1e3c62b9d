"""What the judges' words come to: pure, from what they said to the record with its reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harden.product import Product
from results.judges import Exposure, Judges, Kernel
from results.records import Variant, Verdict
from validate.judges.answers import Entry, Wanted, answered, unused
from validate.judges.exposure import exposures
from validate.judges.run import Opinion


@dataclass(frozen=True)
class Question:
    """What was asked about, and what is wanted."""

    target: str
    started: str
    product: Product
    child: str
    images: Mapping[Variant, str]
    answers: Sequence[Entry]
    wanted: Wanted


def judged(question: Question, before: Opinion, after: Opinion, kernel: Kernel) -> Judges:
    """The record. It fails on an index below the wanted one, a score above, and a remark without an answer."""
    scores = tuple(exposures(question.product, question.wanted, question.child, before.scores, after.scores))
    made = Judges(
        target=question.target,
        started=question.started,
        verdict=Verdict.PASS,
        images=dict(question.images),
        wanted_index=question.wanted.index.get(question.target),
        before=answered(before.lynis, question.answers),
        after=answered(after.lynis, question.answers),
        exposures=scores,
        kernel=kernel,
        audit=after.audit,
        own_tool=after.own_tool,
    )
    why = tuple(reasons(made))
    notes = tuple(
        f"the answer to {one.test}{f' ({one.about})' if one.about else ''} answers nothing that Lynis says here"
        for one in unused(question.answers, before.lynis, after.lynis)
    )
    verdict = Verdict.FAIL if why else Verdict.PASS
    return made.model_copy(update={"verdict": verdict, "why": why, "notes": notes})


def reasons(made: Judges) -> Iterator[str]:
    """Every reason against it."""
    if made.wanted_index is not None and made.after.index < made.wanted_index:
        yield f"Lynis' hardening index is {made.after.index}, and at least {made.wanted_index} is wanted"
    for remark in made.after.remarks:
        if remark.answer is None:
            about = f" ({remark.about})" if remark.about else ""
            yield f"nobody has answered Lynis' {remark.kind} {remark.test}: {remark.text}{about}"
    yield from (why for one in made.exposures for why in _exposed(one))


def _exposed(one: Exposure) -> Iterator[str]:
    if one.wanted is None:
        return
    if one.after is None:
        yield f"systemd gives no exposure score for {one.unit} on the hardened machine"
    elif one.after > one.wanted:
        yield f"{one.unit}: systemd's exposure score is {one.after}, and at most {one.wanted} is wanted"
