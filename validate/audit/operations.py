"""Reading a fact and comparing it with what is expected. Standard library only, and pure.

Every operation returns what is wrong in plain words; empty when it holds. `CannotCompareError` is for a fact
that is not of the kind that the check needs: then nobody knows whether the control holds.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

LONGEST = 120
"""Characters of a value quoted in a message."""
MATCHED = 10_000
"""Characters at most that a regular expression is tried on: facts may be made to take for ever."""
UNLIMITED = ("infinity", "unlimited")


class CannotCompareError(Exception):
    """The fact, or the check, is of the wrong kind."""


def quoted(value: Any) -> str:
    """A value for a message: one line, not too long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def listed(values: list[Any]) -> str:
    """Several values for a message."""
    words = [value if isinstance(value, str) and value.isprintable() else quoted(value) for value in values]
    text = ", ".join(words)
    return text if len(text) <= 2 * LONGEST else text[: 2 * LONGEST - 1] + "…"


def read_value(how: str, value: Any) -> Any:
    """The value as the check reads it. Raises `CannotCompareError`."""
    if how == "raw":
        return list(value) if isinstance(value, tuple) else value
    reader = _READERS.get(how)
    if reader is None:
        raise CannotCompareError(f"no way to read called {how!r}")
    return reader(value)


def _words(value: Any) -> list[Any]:
    return value.split() if isinstance(value, str) else _list(value)


def _lines(value: Any) -> list[Any]:
    return value.splitlines() if isinstance(value, str) else _list(value)


def _list(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, Mapping):
        return list(value)
    raise CannotCompareError(f"{quoted(value)} is no list")


def _number(value: Any, base: int = 10) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    word = value.strip() if isinstance(value, str) else ""
    if word in UNLIMITED and base == 10:
        return math.inf
    digits = r"-?[0-9]{1,20}" if base == 10 else r"(?:0o)?[0-7]{1,12}"
    if not re.fullmatch(digits, word):
        raise CannotCompareError(f"{quoted(value)} is no {'number' if base == 10 else 'octal mode'}")
    return int(word, base)


def _octal(value: Any) -> int:
    return int(_number(value, 8))


_READERS: dict[str, Callable[[Any], Any]] = {"words": _words, "lines": _lines, "int": _number, "octal": _octal}


def _same(left: Any, right: Any) -> bool:
    """Equality that does not take True for 1, as Python does."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _without(left: list[Any], right: list[Any]) -> list[Any]:
    return [one for one in left if not any(_same(one, other) for other in right)]


def _equals(observed: Any, expected: Any) -> str:
    return "" if _same(observed, expected) else f"is {quoted(observed)}, expected {quoted(expected)}"


def _one_of(observed: Any, expected: Any) -> str:
    if any(_same(observed, one) for one in _list(expected)):
        return ""
    return f"is {quoted(observed)}, expected one of {listed(_list(expected))}"


def _at_most(observed: Any, expected: Any) -> str:
    too_much = _number(observed) > _number(expected)
    return f"is {quoted(observed)}, expected at most {quoted(expected)}" if too_much else ""


def _at_least(observed: Any, expected: Any) -> str:
    too_little = _number(observed) < _number(expected)
    return f"is {quoted(observed)}, expected at least {quoted(expected)}" if too_little else ""


def _contains(observed: Any, expected: Any) -> str:
    lacking = _without(_list(expected), _list(observed))
    return f"lacks {listed(lacking)}" if lacking else ""


def _excludes(observed: Any, expected: Any) -> str:
    forbidden = [one for one in _list(observed) if any(_same(one, other) for other in _list(expected))]
    return f"holds {listed(forbidden)}, which must not be there" if forbidden else ""


def _subset(observed: Any, expected: Any) -> str:
    extra = _without(_list(observed), _list(expected))
    return f"holds {listed(extra)} beyond what is allowed ({listed(_list(expected)) or 'nothing'})" if extra else ""


def _same_set(observed: Any, expected: Any) -> str:
    lacking, extra = _without(_list(expected), _list(observed)), _without(_list(observed), _list(expected))
    parts = [f"lacks {listed(lacking)}"] if lacking else []
    return "; ".join(parts + ([f"holds {listed(extra)} besides"] if extra else []))


def _mode_within(observed: Any, expected: Any) -> str:
    extra = _octal(observed) & ~_octal(expected)
    if not extra:
        return ""
    return f"has mode {_octal(observed):04o}, expected no permission beyond {_octal(expected):04o}"


def _matches(observed: Any, expected: Any) -> str:
    if not isinstance(observed, (str, int, float)) or isinstance(observed, bool):
        raise CannotCompareError(f"{quoted(observed)} is no text")
    text = str(observed)
    if len(text) > MATCHED:
        raise CannotCompareError(f"{len(text)} characters are too many to match")
    try:
        held = re.fullmatch(str(expected), text)
    except re.error as error:
        raise CannotCompareError(f"the pattern {quoted(expected)} is wrong: {error}") from None
    return "" if held else f"is {quoted(observed)}, expected to match {expected}"


COMPARISONS: dict[str, Callable[[Any, Any], str]] = {
    "equals": _equals,
    "one_of": _one_of,
    "at_most": _at_most,
    "at_least": _at_least,
    "contains": _contains,
    "excludes": _excludes,
    "subset": _subset,
    "same_set": _same_set,
    "mode_within": _mode_within,
    "matches": _matches,
}
AS_TEXT = ("matches",)
"""Operations whose expectation is never read like the fact."""


def compare(how: str, operation: str, value: Any, expected: Any) -> str:
    """What is wrong with `value`; empty when it is as expected. Raises `CannotCompareError`."""
    comparison = COMPARISONS.get(operation)
    if comparison is None:
        raise CannotCompareError(f"no operation called {operation!r}")
    if operation == "one_of":
        wanted: Any = [read_value(how, one) for one in _list(expected)]
    elif operation in AS_TEXT or not isinstance(expected, str):
        wanted = read_value("raw", expected)
    else:
        wanted = read_value(how, expected)
    return comparison(read_value(how, value), wanted)
