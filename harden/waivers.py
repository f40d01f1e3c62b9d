"""Reads waivers, strictly: who lets which control fail, why, and until when; every problem at once, with its line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import date
from pathlib import Path

import yaml

from results.base.errors import UsageError
from results.base.strict import FastLoader
from results.records import Waiver, Waivers

DEFAULT_WAIVERS = Path(__file__).parent / "waivers.yaml"
REPOSITORY = Path(__file__).parent.parent
LIMIT = 1 << 20
"""Bytes of the largest file that is read."""
KEYS = ("control", "owner", "reason", "until")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
HINT = "mend the lines named above; an entry has control, owner, reason and until (YYYY-MM-DD)"


def load_waivers(path: Path, known: Collection[str], *, now: str) -> Waivers:
    """Read a waiver file. `now` is the run's start (`2026-11-24T06:00:00Z`); `known` holds every control's id.

    An expired waiver is no error here: it is kept, and fails the verdict. Raises `UsageError`.
    """
    name = str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(LIMIT + 1)
        text = raw.decode("utf-8")
    except (OSError, ValueError) as error:
        what = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise UsageError(f"{name}: {what}", "`--waivers` names the file") from None
    if len(raw) > LIMIT:
        raise UsageError(f"{name}: larger than {LIMIT} bytes", "is it a file of waivers?")
    return parse_waivers(text, known, now=now, name=name)


def parse_waivers(text: str, known: Collection[str], *, now: str, name: str) -> Waivers:
    """Like `load_waivers`, for text that is already at hand; `name` stands for the file in messages."""
    try:
        # nodes, not values: a date counts as it is written, and every value knows its line
        node = yaml.compose(text, Loader=FastLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{name}:{line}: {error.problem}", HINT) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{name}:1: not YAML: {str(error)[:200]}", HINT) from None
    problems: list[str] = []
    found: list[Waiver] = []
    first: dict[str, int] = {}
    for entry in _entries(node, name, problems):
        line = entry.start_mark.line + 1
        values = dict(_values(entry, name, problems))
        wrong = [f"{name}:{line}: {key}: is missing" for key in KEYS if key not in values]
        wrong += _wrong(values, known, f"{name}:{line}")
        control = values.get("control", "")
        if control in first:
            wrong.append(f"{name}:{line}: control: {control} is waived on line {first[control]} already")
        elif control:
            first[control] = line
        problems += wrong
        if not wrong:
            found.append(Waiver(**values, source=f"{name}:{line}"))
    if problems:
        raise UsageError("\n".join(problems), HINT)
    return Waivers(now=now, waivers=tuple(found))


def _entries(node: yaml.Node | None, name: str, problems: list[str]) -> Iterator[yaml.MappingNode]:
    """The entries of the file's one key, `waivers`."""
    if not isinstance(node, yaml.MappingNode):
        problems.append(f"{name}:1: not a mapping with the key `waivers`")
        return
    keys = [str(key.value) for key, _ in node.value]
    if keys.count("waivers") != 1:
        problems.append(f"{name}:1: waivers: must be given once")
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.value != "waivers":
            problems.append(f"{name}:{line}: {str(key.value)[:80]}: unknown key")
        elif not isinstance(value, yaml.SequenceNode):
            problems.append(f"{name}:{line}: waivers: not a list")
        else:
            for item in value.value:
                if isinstance(item, yaml.MappingNode):
                    yield item
                else:
                    problems.append(f"{name}:{item.start_mark.line + 1}: waivers: not an entry with keys")


def _values(entry: yaml.MappingNode, name: str, problems: list[str]) -> Iterator[tuple[str, str]]:
    """Key and text of each value that is text; what else stands there is a problem."""
    seen: set[str] = set()
    for key, value in entry.value:
        word, where = str(key.value)[:80], f"{name}:{key.start_mark.line + 1}"
        if word not in KEYS:
            problems.append(f"{where}: {word}: unknown key")
        elif word in seen:
            problems.append(f"{where}: {word}: was given already")
        elif not isinstance(value, yaml.ScalarNode) or value.tag.endswith(":null") or not value.value.strip():
            problems.append(f"{where}: {word}: is empty, or not text")
            yield word, ""
        else:
            yield word, value.value.strip() if word != "until" else value.value
        seen.add(word)


def _wrong(values: dict[str, str], known: Collection[str], where: str) -> Iterator[str]:
    control, until = values.get("control", ""), values.get("until", "")
    if control and control not in known:
        yield f"{where}: control: no control is named {control[:80]!r}"
    if until and not _is_date(until):
        yield f"{where}: until: {until[:40]!r} is no date written YYYY-MM-DD"
    # what is empty was reported with its own line; it must not become a waiver
    if any(not value for value in values.values()):
        yield f"{where}: the entry is not complete"


def _is_date(text: str) -> bool:
    if not DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
