"""What is refused as facts: the machine is not trusted, and files come from anywhere.

The shape itself stands in `shape.py`; here are the limits that keep a hostile answer from harming the host,
and one error that names every problem.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from results.base.errors import PipelineError, UsageError
from results.base.strict import load_json
from validate.facts.shape import SCHEMA, Facts

MOST_BYTES = 32 << 20
"""Of a facts file. A real one has 300 kB."""
MOST_DEPTH = 12
MOST_VALUES = 400_000
MOST_TEXT = 1 << 20
INTEGER_BITS = 64
SECTIONS = (
    *("machine", "units", "sysctl", "sysctl_configured", "sysctl_unapplied", "audit", "apparmor", "dbus", "accounts"),
    *("login", "sudoers", "files", "setuid", "file_caps", "world_writable", "bpf", "network", "kernel", "mounts"),
    *("loader", "sshd", "journal"),
)

_ADAPTER: TypeAdapter[Facts] = TypeAdapter(Facts)


def _leaf(value: Any) -> str:
    """What is wrong with a value that holds no others; empty when nothing is."""
    if isinstance(value, str):
        if len(value) > MOST_TEXT:
            return f"text of {len(value)} characters"
        return "" if value.isascii() or _is_unicode(value) else "text that is no Unicode"
    if isinstance(value, float):
        return "" if math.isfinite(value) else "not a finite number"
    if isinstance(value, int):
        return "" if value.bit_length() <= INTEGER_BITS else "a number of more than 64 bits"
    return "" if value is None else f"a {type(value).__name__}"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def oddity(facts: Any) -> str:
    """What no honest collector sends (depth, size, numbers, text), with its place; empty when there is none."""
    waiting: list[tuple[str, Any, int]] = [("facts", facts, 0)]
    seen = 0
    while waiting:
        where, value, depth = waiting.pop()
        seen += 1
        if depth > MOST_DEPTH or seen > MOST_VALUES:
            return f"{where[:200]}: nested too deep" if depth > MOST_DEPTH else f"more than {MOST_VALUES} values"
        if isinstance(value, Mapping):
            wrong = next((f"key: {_leaf(key)}" for key in value if not isinstance(key, str) or _leaf(key)), "")
            waiting += [(f"{where}.{key}", item, depth + 1) for key, item in value.items()] if not wrong else []
        elif isinstance(value, list):
            wrong = ""
            waiting += [(f"{where}.{index}", item, depth + 1) for index, item in enumerate(value)]
        else:
            wrong = _leaf(value)
        if wrong:
            return f"{where[:200]}: {wrong}"
    return ""


def problems(facts: Any) -> list[str]:
    """Everything that is wrong with facts, a line each; empty when they can be judged."""
    odd = oddity(facts)
    if odd:
        return [odd]
    try:
        _ADAPTER.validate_python(facts)
    except ValidationError as error:
        found = [(".".join(map(str, one["loc"])) or "facts", one["msg"]) for one in error.errors(include_input=False)]
        return [f"{where[:200]}: {message[:200]}" for where, message in found]
    errors = facts["errors"]
    return [
        f"{name}: neither collected nor excused" for name in SECTIONS if facts.get(name) is None and name not in errors
    ]


def checked(facts: Any, error: type[PipelineError], origin: str) -> dict[str, Any]:
    """Return the facts as they are if they can be judged.

    Raises `UsageError` for a newer schema, and `error` with at most ten problems for everything else.
    """
    version = facts.get("schema") if isinstance(facts, dict) else None
    if isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA:
        what = f"{origin}: facts from a newer schema ({version}; this program knows {SCHEMA})"
        raise UsageError(what, "judge them with the version that collected them, or newer")
    wrong = problems(facts) if version == SCHEMA else [f"schema: is {version!r:.40}, not {SCHEMA}"]
    if wrong:
        raise error(f"{origin}: these are no facts that can be judged", evidence="\n".join(wrong[:10]))
    kept: dict[str, Any] = facts
    return kept


def load_facts(path: Path) -> dict[str, Any]:
    """Read a facts.json. Raises `UsageError` that names every problem."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if size > MOST_BYTES:
        raise UsageError(f"{path}: {size} bytes are no facts", f"facts.json has at most {MOST_BYTES} bytes")
    return checked(load_json(path, Any), UsageError, str(path))
