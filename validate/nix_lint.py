"""Small checks of Nix files that need no Nix: names that nothing uses, and white space. Pure.

They see less than deadnix and statix do: a name counts as used where it stands anywhere else in its file, in text
as well, so that what they tell is so, and what they do not tell may still be there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

LONGEST = 160
"""Characters of a line; messages for people stand on one line."""
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_LINE_COMMENT = re.compile(r"(^|\s)#[^\n]*")
_PATH = re.compile(r"\.{0,2}(?:/[\w.+-]+)+")
_NAME = r"[A-Za-z_][\w'-]*"
_TOKEN = re.compile(rf"\$?\{{|[()\[\];=:?,@]|\.\.\.|\}}|''|\"|\.|{_NAME}|\S")


def _without_comments(text: str) -> str:
    """The text without comments; a hash inside a string counts as one only behind white space."""
    return _LINE_COMMENT.sub(r"\1", _COMMENT.sub("", text))


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def _formals(tokens: Sequence[str]) -> Iterator[str]:
    """Names in `{ a, b ? c, ... }:`; `_name` says that it is not used."""
    for end, token in enumerate(tokens):
        named = tokens[end + 1 : end + 2] == ["@"] and tokens[end + 3 : end + 4] == [":"]
        if token != "}" or not (tokens[end + 1 : end + 2] == [":"] or named):
            continue
        start, depth = end, 0
        while start >= 0:
            depth += {"}": 1, "{": -1, "${": -1}.get(tokens[start], 0)
            if depth == 0:
                break
            start -= 1
        yield from _listed(tokens[start + 1 : end])


def _listed(inside: Sequence[str]) -> Iterator[str]:
    depth = 0
    fresh = True
    for token in inside:
        depth += {"{": 1, "${": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(token, 0)
        if fresh and depth == 0 and re.fullmatch(_NAME, token):
            yield token
        fresh = token == "," and depth == 0


def _bindings(tokens: Sequence[str]) -> Iterator[str]:
    """Names that a `let` binds, at its own depth, and what it inherits."""
    for begin, token in enumerate(tokens):
        if token == "let":
            yield from _bound(tokens[begin + 1 :])


def _bound(tokens: Sequence[str]) -> Iterator[str]:
    depth = nested = 0
    fresh = True
    for index, token in enumerate(tokens):
        depth += {"{": 1, "${": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(token, 0)
        if depth < 0:
            return
        if depth == 0 and token == "let":
            nested += 1
        elif depth == 0 and token == "in":
            if nested == 0:
                return
            nested -= 1
        if fresh and depth == nested == 0 and tokens[index + 1 : index + 2] == ["="]:
            yield token
        fresh = token == ";" and depth == nested == 0


def unused(text: str) -> tuple[str, ...]:
    """Names that are bound and stand nowhere else in the file, sorted."""
    plain = _without_comments(text)
    tokens = _tokens(plain)
    count = Counter(re.findall(_NAME, _PATH.sub(" ", plain)))
    names = {*_formals(tokens), *_bindings(tokens)}
    return tuple(sorted(name for name in names if not name.startswith("_") and count[name] == 1))


def spacing(text: str) -> Iterator[str]:
    """What is wrong with white space, by line."""
    for number, line in enumerate(text.splitlines(), 1):
        if "\t" in line:
            yield f"line {number}: a tab"
        if line != line.rstrip():
            yield f"line {number}: blanks at the end"
        if len(line) > LONGEST and "message" not in line and "throw" not in line:
            yield f"line {number}: {len(line)} characters, at most {LONGEST}"
    if text and (not text.endswith("\n") or text.endswith("\n\n")):
        yield "the file does not end with one line end"


def complaints(text: str) -> tuple[str, ...]:
    """Everything that is wrong with one file."""
    return (*(f"{name}: bound, and nothing uses it" for name in unused(text)), *spacing(text))
