"""Lynis: its report as a record. The report comes out of a machine, so it may be anything."""

from __future__ import annotations

import re
from collections.abc import Iterator

from results.base.errors import InfrastructureError
from results.judges import MOST, Lynis, Remark

LIMIT = 4 << 20
"""Bytes of a report; a real one has fifty thousand."""

LONGEST = 600
"""Characters of one field that are kept."""

KINDS = {"warning[]": "warning", "suggestion[]": "suggestion"}
TEST = re.compile(r"[A-Z][A-Z0-9]{1,11}(-[0-9]{3,5})?")


def parse_report(raw: bytes, *, seconds: float) -> Lynis:
    """`lynis-report.dat`: lines of `key=value`, lists as `key[]=`.

    Raises `InfrastructureError` for a report that has no index, that has not come to its end, or is too long.
    """
    if len(raw) > LIMIT:
        raise InfrastructureError(f"Lynis' report has more than {LIMIT} bytes", "see what is in it, in the machine")
    lines = [line.partition("=") for line in raw.decode("utf-8", errors="backslashreplace").split("\n")]
    values = {key: value.strip()[:LONGEST] for key, _, value in lines if not key.endswith("[]")}
    if values.get("finish") != "true":
        raise InfrastructureError("Lynis has not come to its end", "see the transcript; `lynis audit system` by hand")
    remarks = tuple(dict.fromkeys(_remarks(lines)))
    if len(remarks) > MOST:
        raise InfrastructureError(f"Lynis' report has {len(remarks)} remarks; {MOST} are the most that are taken")
    return Lynis(
        version=values.get("lynis_version", "") or "unknown",
        index=_number(values, "hardening_index", 100),
        tests=_number(values, "lynis_tests_done", 100_000),
        seconds=round(seconds, 1),
        remarks=remarks,
    )


def _remarks(lines: list[tuple[str, str, str]]) -> Iterator[Remark]:
    """`warning[]=TEST|text|details|solution|`; a field that is `-` is empty."""
    for key, _, value in lines:
        if key in KINDS:
            test, text, details, _ = (*(part.strip() for part in value.split("|", 3)), "", "", "", "")[:4]
            if not TEST.fullmatch(test):
                raise InfrastructureError(f"Lynis' report names a test {test[:80]!a}", "no test is called like that")
            about = "" if details in ("-", "text:-") else details
            kind = "warning" if KINDS[key] == "warning" else "suggestion"
            yield Remark(kind=kind, test=test, text=text[:LONGEST], about=about[:LONGEST])


def _number(values: dict[str, str], key: str, most: int) -> int:
    text = values.get(key, "")
    if not re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) or int(text) > most:
        raise InfrastructureError(f"Lynis' report: {key} is {text[:40]!a}, no number up to {most}")
    return int(text)
