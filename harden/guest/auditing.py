"""What the audit says: comparing with an older one, the report's text, the exit status, and files made safely."""

from __future__ import annotations

import json
import os
import re
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harden.guest.system import RefusedError

SCHEMA = 1
LARGEST = 32 << 20
"""Most bytes of an older result that are read."""
SEVERITIES = ("critical", "high", "medium", "low")
OUTCOMES = ("error", "fail", "warn", "pass", "not-applicable")
BROKEN = ("error", "fail")
STATUS = {"critical": 3, "high": 2, "medium": 1, "low": 1}
COULD_NOT = 4
_CONTROL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,200}")


def printable(value: object) -> str:
    """One line that no terminal obeys: file names and the like come from others."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(value))


def exit_status(findings: Iterable[Mapping[str, Any]]) -> int:
    """0 nothing, 1 low or medium, 2 high, 3 critical: the worst that fails, or that could not be looked at."""
    return max((STATUS[one["severity"]] for one in findings if one["outcome"] in BROKEN), default=0)


def create(path: Path, content: bytes) -> None:
    """Make a new file that only its owner reads. Whatever lies there already, a link too, is refused."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise RefusedError(
            f"{path}: {error.strerror}; name a file that does not exist, in a folder that does"
        ) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        path.unlink()
        raise RefusedError(f"{path}: {error.strerror}; make room, or name another folder") from None


def report_name(now: float | None = None) -> str:
    """A name that nobody can have taken before; `.txt` and `.json` come behind it."""
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    return f"dots-family-security-audit-{when}-{os.urandom(8).hex()}"


def _bytes_of(path: Path) -> bytes:
    """The file's content; a pipe or a device is not waited for."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise RefusedError(f"{path}: is no file; give the .json of an earlier audit")
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise RefusedError(f"{path}: {error.strerror}; give the .json of an earlier audit") from None
    if len(content) > LARGEST:
        raise RefusedError(f"{path}: more than {LARGEST >> 20} MiB; no audit writes that much")
    return content


def load_older(path: Path) -> dict[str, str]:
    """Control to outcome of an older audit. The file is not trusted. Raises `RefusedError`."""
    try:
        data = json.loads(_bytes_of(path))
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{path}: no JSON ({printable(error)[:120]}); give the .json of an earlier audit") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA or not isinstance(data.get("findings"), list):
        raise RefusedError(f"{path}: not what an audit of this version writes; give the .json of an earlier audit")
    found: dict[str, str] = {}
    for number, one in enumerate(data["findings"]):
        control = one.get("control") if isinstance(one, dict) else None
        outcome = one.get("outcome") if isinstance(one, dict) else None
        known = isinstance(control, str) and _CONTROL.fullmatch(control) and control not in found
        if not known or not isinstance(outcome, str) or outcome not in OUTCOMES:
            raise RefusedError(
                f"{path}: finding {number} is malformed or there twice; make a new audit to compare with"
            )
        found[str(control)] = outcome
    return found


def changes(older: Mapping[str, str], findings: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What is other than it was: control, before, after; `-` where there was or is none."""
    newer = {str(one["control"]): str(one["outcome"]) for one in findings}
    every = sorted({*older, *newer})
    pairs = [(control, older.get(control, "-"), newer.get(control, "-")) for control in every]
    return [{"control": name, "before": was, "after": now} for name, was, now in pairs if was != now]


def text_of(result: Mapping[str, Any]) -> str:
    """The report as text."""
    findings = result["findings"]
    lines = ["DOTS Family Mode: security audit", f"machine: {printable(result['machine'])}", f"time: {result['time']}"]
    lines += [f"result: {result['summary']['text']}", ""]
    for severity in SEVERITIES:
        broken = [one for one in findings if one["severity"] == severity and one["outcome"] in BROKEN]
        lines.append(f"{severity}: {len(broken)}")
        for one in broken:
            lines += [f"  {one['outcome'].upper()} {one['control']}: {printable(one['title'])}"]
            lines += [f"    {printable(one['message'])}", f"    to do: {printable(one['remediation'])}"]
    if "changes" in result:
        lines += ["", f"changed since the older audit: {len(result['changes'])}"]
        lines += [f"  {one['control']}: {one['before']} -> {one['after']}" for one in result["changes"]]
    lines += ["", "every control:"]
    lines += [f"  {one['outcome']:<14} {one['severity']:<8} {one['control']}" for one in findings]
    return "\n".join(lines) + "\n"
