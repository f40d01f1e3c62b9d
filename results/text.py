"""Text that a machine said, made fit to be looked at: nothing in it can steer a terminal, a page or a parser."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

KEPT = {"\n", "\t"}
"""Control characters that are layout, not commands."""


def _escaped(character: str) -> str:
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def shown(text: str) -> str:
    """Return `text` with every control, format, unassigned or surrogate character as a visible escape.

    That covers terminal escapes, changes of writing direction, invisible joiners, and what XML or UTF-8
    cannot hold. Line feeds and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character in KEPT or (unicodedata.category(character)[0] != "C" and character not in "\u2028\u2029")
        else _escaped(character)
        for character in text
    )


def one_line(text: str, limit: int = 400) -> str:
    """Return `text` shown, on one line, cut at `limit` characters."""
    line = " ".join(shown(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def cut(text: str, limit: int) -> str:
    """Return `text` with its middle left out where it is longer than `limit` characters; says how much."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def value(thing: Any) -> str:
    """Any JSON value as a person reads it: words as they are, lists with commas, the rest as JSON."""
    if thing is None:
        return "–"
    if isinstance(thing, str):
        return thing or "(empty)"
    if isinstance(thing, bool):
        return "yes" if thing else "no"
    if isinstance(thing, (list, tuple)) and all(isinstance(one, (str, int, float)) for one in thing):
        return ", ".join(str(one) for one in thing) or "(none)"
    return json.dumps(thing, ensure_ascii=False, sort_keys=True, default=str)


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would say them in."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def plural(number: int, word: str, several: str = "") -> str:
    """`1 control`, `2 controls`."""
    return f"{number} {word if number == 1 else several or word + 's'}"


def percent(value: float) -> str:
    """A relative change: `+3.1 %`, with a true minus sign."""
    digits = f"{value * 100:+.1f}" if abs(value) < 10 else f"{value * 100:+.0f}"
    return digits.replace("-", "\N{MINUS SIGN}") + " %"


def score(value: float | None) -> str:
    """A score with one digit; a dash where there is none."""
    return "–" if value is None else f"{value:.1f}"
