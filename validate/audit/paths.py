"""Finding facts by path. Standard library only, and pure: it also runs inside the machine.

A segment of a path is a key; where there is no such key, it may be a glob (`dots-family-monitor@*.service`),
and in a list of objects conditions (`protocol=tcp,port=8080`), whose values may be globs as well, or `*`.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple  # no dataclasses: they cost a third of a second in an emulated machine

COMPLETE = (
    *(
        ("sysctl",),
        ("sysctl_configured",),
        ("login",),
        ("setuid",),
        ("file_caps",),
        ("loader",),
        ("mounts",),
        ("sshd",),
    ),
    *(("apparmor", "profiles"), ("apparmor", "attachments"), ("accounts", "users"), ("accounts", "groups")),
    *(("dbus", "names"), ("dbus", "activation"), ("dbus", "members"), ("kernel", "vulnerabilities")),
    *(("units", "*", "properties"), ("units", "*", "process", "limits")),
)
"""Collections that hold all there is: a key that is not in one is known not to be. Elsewhere nobody looked."""


class Found(NamedTuple):
    """One place that a path leads to.

    `state` is `value`, `none` (looked at, and there is none: null on the way), `missing` (nobody looked) or
    `nothing` (the collection is complete and has no such key: looked at as well).
    """

    path: tuple[str, ...]
    state: str
    value: Any = None

    @property
    def dotted(self) -> str:
        """The path as evidence."""
        return ".".join(self.path)


def is_pattern(segment: str) -> bool:
    """Whether a segment may stand for several keys."""
    return any(letter in segment for letter in "*?[")


def _children(value: Any, segment: str) -> list[tuple[str, Any]] | None:
    """What `segment` selects in a value; None when the value holds nothing that could be selected."""
    if isinstance(value, Mapping):
        if segment in value:
            return [(segment, value[segment])]
        if is_pattern(segment):
            return [(key, value[key]) for key in sorted(value, key=str) if fnmatch.fnmatchcase(str(key), segment)]
        return []
    if isinstance(value, list):
        return [(str(index), item) for index, item in enumerate(value) if _selects(segment, index, item)]
    return None


def _selects(segment: str, index: int, item: Any) -> bool:
    if segment in ("*", str(index)):
        return True
    conditions = [condition.partition("=") for condition in segment.split(",")]
    if not isinstance(item, Mapping) or not all(equals for _, equals, _ in conditions):
        return False
    return all(key in item and fnmatch.fnmatchcase(_word(item[key]), wanted) for key, _, wanted in conditions)


def _word(value: Any) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def expand(facts: Mapping[str, Any], path: Sequence[str]) -> list[Found]:
    """Every place that `path` leads to; at least one, which may be `missing`, `none` or `nothing`."""
    return list(_expand(facts, (), tuple(path)))


def _expand(value: Any, done: tuple[str, ...], rest: tuple[str, ...]) -> Iterator[Found]:
    if value is None and done:
        yield Found((*done, *rest), "none")
    elif not rest:
        yield Found(done, "value", value)
    else:
        children = _children(value, rest[0])
        if not children:
            yield Found((*done, *rest), _why_not(value, children, done, rest))
        for key, child in children or ():
            yield from _expand(child, (*done, key), rest[1:])


def _why_not(holder: Any, children: list[tuple[str, Any]] | None, done: tuple[str, ...], rest: tuple[str, ...]) -> str:
    """Whether it is known not to be there (`nothing`), or nobody looked (`missing`)."""
    if children is None:
        return "missing"
    in_folder = done == ("files",) and _was_listed(holder, rest[0])
    return "nothing" if in_folder or isinstance(holder, list) or _is_complete(done) else "missing"


def _was_listed(files: Mapping[str, Any], path: str) -> bool:
    """Whether a folder above `path` was listed, or is not there: then `path` is known not to be there."""
    above = path.rpartition("/")[0]
    while above:
        if above in files:
            entry = files[above]
            return entry is None or (isinstance(entry, Mapping) and entry.get("listed") is True)
        above = above.rpartition("/")[0]
    return False


def _is_complete(path: tuple[str, ...]) -> bool:
    return any(
        len(path) == len(pattern) and all(fnmatch.fnmatchcase(*pair) for pair in zip(path, pattern, strict=True))
        for pattern in COMPLETE
    )


def errors_of(errors: Mapping[str, Any], found: Found) -> list[str]:
    """What the collector could not look at and this fact hangs on: what holds it, itself, or what it holds."""
    inside = found.dotted + "."
    holding = {".".join(found.path[: length + 1]) for length in range(len(found.path))}
    return [f"{name}: {text}" for name, text in errors.items() if name in holding or str(name).startswith(inside)]
