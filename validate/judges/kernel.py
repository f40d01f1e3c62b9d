"""The kernel's own values against the expectations of kernel-hardening-checker, a tool of its own (GPL-3.0).

It is no part of this project and in no package registry that Debian or pip know: it is used where the host has it.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import run, which
from results.base.strict import Strict
from results.judges import MOST, Kernel, KernelValue
from validate.machine.session import Session

TOOL = "kernel-hardening-checker"
WHY_NOT = f"{TOOL} is not on this host; its own page says how to install it, and any folder of PATH will do"
SECONDS = 120.0
LIMIT = 4 << 20

READ = """
import os, subprocess
with open("/proc/cmdline") as file:
    cmdline = file.read()
with open(f"/boot/config-{os.uname().release}") as file:
    config = file.read()
sysctl = subprocess.run(["sysctl", "-a"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
RESULT = {"cmdline": cmdline, "config": config, "sysctl": sysctl.stdout.decode(errors="backslashreplace")}
"""


class _Row(Strict):
    """One row of the tool's JSON."""

    option_name: str = Field(max_length=200)
    type: str = Field(pattern="^(kconfig|cmdline|sysctl|version)$")
    reason: str = Field(max_length=200)
    decision: str = Field(max_length=200)
    desired_val: str = Field(max_length=200)
    check_result: str = Field(max_length=600)
    check_result_bool: bool


ROWS: TypeAdapter[list[_Row]] = TypeAdapter(list[_Row])
Rows = Mapping[tuple[str, str, int], _Row]
"""By kind, name, and which of the expectations with that name it is."""


class KernelState(Strict):
    """What the tool reads: three texts of one machine."""

    cmdline: str
    config: str
    sysctl: str


def read_state(session: Session) -> KernelState:
    """Fetch them, in one round trip. Raises `InfrastructureError`."""
    answer = session.python(READ, limit=LIMIT)
    try:
        return KernelState.model_validate(answer, strict=True)
    except ValidationError:
        raise InfrastructureError("the machine did not tell its kernel's settings") from None


def kernel(before: KernelState, after: KernelState, events: Events) -> Kernel:
    """Both machines in the tool's eyes; a record that says why not, where the host has no such tool."""
    if which(TOOL) is None:
        return Kernel(why_not=WHY_NOT)
    version = run([TOOL, "--version"], events=events, timeout=SECONDS).text.strip().rpartition(" ")[2][:40]
    return merged(version or "unknown", *(parse_rows(_ask(state, events)) for state in (before, after)))


def _ask(state: KernelState, events: Events) -> bytes:
    with tempfile.TemporaryDirectory(prefix="dots-kernel-") as folder:
        paths = {name: Path(folder) / name for name in ("config", "cmdline", "sysctl")}
        for name, path in paths.items():
            path.write_text(getattr(state, name), encoding="utf-8", errors="backslashreplace")
        words = ["-c", paths["config"], "-l", paths["cmdline"], "-s", paths["sysctl"]]
        return run([TOOL, "-m", "json", *map(str, words)], events=events, timeout=SECONDS).stdout


def parse_rows(raw: bytes) -> Rows:
    """The tool's JSON. Raises `InfrastructureError` for another shape."""
    try:
        rows = ROWS.validate_json(raw[: LIMIT + 1])
    except ValidationError as error:
        first = error.errors()[0]
        raise InfrastructureError(f"{TOOL}: not its JSON: {str(first['loc'])[:100]}: {first['msg'][:200]}") from None
    if len(rows) > MOST:
        raise InfrastructureError(f"{TOOL}: {len(rows)} rows; {MOST} are the most that are taken")
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    for row in rows:
        seen[row.type, row.option_name] += 1
        found[row.type, row.option_name, seen[row.type, row.option_name]] = row
    return found


def merged(version: str, before: Rows, after: Rows) -> Kernel:
    """Both machines side by side, in the tool's order."""
    values = []
    for key in dict.fromkeys([*before, *after]):
        one, other = before.get(key), after.get(key)
        known = other or one
        if known:
            values.append(
                KernelValue.model_validate(
                    {
                        "name": known.option_name,
                        "kind": known.type,
                        "wanted": known.desired_val,
                        "source": known.decision,
                        "before": one and one.check_result,
                        "after": other and other.check_result,
                        "holds_before": one and one.check_result_bool,
                        "holds_after": other and other.check_result_bool,
                    }
                )
            )
    return Kernel(version=version, values=tuple(values))
