"""What we answer to Lynis' remarks, and what is wanted of the judges: two files of data, read strictly."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from pydantic import Field, model_validator

from results.base.errors import UsageError
from results.base.strict import Strict, load_yaml, parse_yaml
from results.judges import Answer, Lynis, Remark

ANSWERS = Path(__file__).with_name("answers.yaml")
WANTED = Path(__file__).with_name("wanted.yaml")


class Entry(Strict):
    """The answer to one test's remarks."""

    test: str = Field(pattern=r"^[A-Z][A-Z0-9]{1,11}(-[0-9]{3,5})?$")
    about: str = ""
    """Only the remark whose text or subject has these words; for tests that make several remarks."""
    controls: tuple[str, ...] = ()
    reason: str = Field(default="", max_length=1000)

    @model_validator(mode="after")
    def _says_something(self) -> Entry:
        if not self.controls and len(self.reason) < 10:
            raise ValueError("an answer needs `controls`, or a `reason` of ten characters or more")
        return self

    def fits(self, remark: Remark) -> bool:
        """Whether it answers this remark."""
        words = self.about.casefold()
        return self.test == remark.test and (words in remark.text.casefold() or words in remark.about.casefold())


class Wanted(Strict):
    """What the judges have to come to after the hardening."""

    index: dict[str, int]
    """Target to the least that Lynis' hardening index may be."""
    exposure: dict[str, float]
    """Unit of the product description, or a unit's own name, to the most that its exposure may be."""


def load_answers(known: Collection[str], path: Path = ANSWERS) -> tuple[Entry, ...]:
    """Read the answers; `known` holds every control's id. Raises `UsageError` that names every wrong line."""
    entries: tuple[Entry, ...] = load_yaml(path, tuple[Entry, ...])
    return checked(entries, known, path.name)


def parse_answers(text: str, known: Collection[str], *, name: str = "answers.yaml") -> tuple[Entry, ...]:
    """Like `load_answers`, for text that is at hand."""
    entries: tuple[Entry, ...] = parse_yaml(text, tuple[Entry, ...], name=name)
    return checked(entries, known, name)


def checked(entries: tuple[Entry, ...], known: Collection[str], name: str) -> tuple[Entry, ...]:
    """The entries, if each names controls that there are and no two are for the same remark."""
    problems = [
        f"{name}: {one.test}: no control is named {control!r}"
        for one in entries
        for control in one.controls
        if control not in known
    ]
    places = [(one.test, one.about.casefold()) for one in entries]
    problems += [
        f"{name}: {test}: answered twice" for test, about in sorted(set(places)) if places.count((test, about)) > 1
    ]
    if problems:
        raise UsageError("\n".join(problems), f"mend validate/judges/{name}")
    return entries


def load_wanted(path: Path = WANTED) -> Wanted:
    """Read what is wanted. Raises `UsageError`."""
    wanted: Wanted = load_yaml(path, Wanted)
    return wanted


def answered(lynis: Lynis, entries: Sequence[Entry]) -> Lynis:
    """The same with an answer beside each remark that has one; the entry with the most words counts."""
    ordered = sorted(entries, key=lambda one: -len(one.about))
    remarks = []
    for remark in lynis.remarks:
        entry = next((one for one in ordered if one.fits(remark)), None)
        answer = Answer(controls=entry.controls, reason=entry.reason) if entry else None
        remarks.append(remark.model_copy(update={"answer": answer}))
    return lynis.model_copy(update={"remarks": tuple(remarks)})


def unused(entries: Sequence[Entry], *seen: Lynis) -> tuple[Entry, ...]:
    """Answers to what nobody said."""
    remarks = [remark for lynis in seen for remark in lynis.remarks]
    return tuple(one for one in entries if not any(one.fits(remark) for remark in remarks))
