#!/usr/bin/python3 -I
"""Audit this machine: collect its facts and judge them, with the pipeline's own collector, judge and checks.

security-audit.sh [--against OLD.json] [--json FILE] [--facts FILE] [--folder FOLDER]

The report goes to FOLDER (/tmp), as dots-family-security-audit-<UTC time>-<random>.txt with a .json beside it, or
where --json says. --facts keeps the facts as well; --against shows what is other than in an older .json.
Nothing is changed, and nothing is asked of the network.

Exit status, by the worst that fails or could not be looked at: 0 nothing; 1 low or medium; 2 high; 3 critical.
4: this machine could not be audited.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

from harden.guest import auditing  # noqa: E402 - the package's own modules
from harden.guest.system import RefusedError  # noqa: E402


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise RefusedError(f"{message}; --help lists the options")


def parser() -> argparse.ArgumentParser:
    """What may be asked for."""
    made = _Parser(prog="security-audit.sh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made.add_argument("--against", type=Path, metavar="OLD.json")
    made.add_argument("--json", type=Path, metavar="FILE")
    made.add_argument("--facts", type=Path, metavar="FILE")
    made.add_argument("--folder", type=Path, default=Path("/tmp"), metavar="FOLDER")  # noqa: S108 - made safely
    return made


def collect(here: Path) -> dict[str, Any]:
    """The facts of this machine, by the pipeline's own collector."""
    asked = json.loads((here / "questions.json").read_text(encoding="utf-8"))
    collector = importlib.import_module("validate.facts.guest.collector")
    facts: dict[str, Any] = collector.main(asked)
    return {**facts, "collector": asked["collector"]}


def judged(here: Path, facts: dict[str, Any], older: dict[str, str] | None) -> dict[str, Any]:
    """The whole result, as it is written."""
    judge = importlib.import_module("validate.audit.judge")  # a copy of the pipeline's, in the package's lib
    findings = judge.judge(json.loads((here / "checks.json").read_text(encoding="utf-8")), facts)
    result = {
        "schema": auditing.SCHEMA,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": platform.node(),
        "collector": facts.get("collector", ""),
        "summary": judge.summary(findings),
        "findings": findings,
    }
    if older is not None:
        result["changes"] = auditing.changes(older, findings)
    return result


def audit(words: argparse.Namespace, here: Path) -> int:
    """Audit, report, and tell the exit status. Raises `RefusedError`."""
    if os.geteuid() != 0:
        raise RefusedError("only root can look at everything; run it with sudo")
    older = auditing.load_older(words.against) if words.against else None
    facts = collect(here)
    result = judged(here, facts, older)
    name = auditing.report_name()
    report, data = words.folder / f"{name}.txt", words.json or words.folder / f"{name}.json"
    if words.facts:
        auditing.create(words.facts, (json.dumps(facts) + "\n").encode())
    auditing.create(data, (json.dumps(result, indent=1) + "\n").encode())
    auditing.create(report, auditing.text_of(result).encode(errors="backslashreplace"))
    tell(result, report, data)
    return auditing.exit_status(result["findings"])


def tell(result: dict[str, Any], report: Path, data: Path) -> None:
    """The summary for the terminal."""
    lines = [str(result["summary"]["text"])]
    for severity in auditing.SEVERITIES:
        counts = result["summary"]["severities"][severity]
        broken = sum(counts.get(outcome, 0) for outcome in auditing.BROKEN)
        lines.append(f"{severity:<9} {broken} of {sum(counts.values())} do not hold")
    lines += [f"changed: {one['control']}: {one['before']} -> {one['after']}" for one in result.get("changes", [])]
    sys.stdout.write("\n".join([*lines, f"report: {report}", f"data: {data}"]) + "\n")


def main(words: list[str], here: Path = HERE) -> int:
    """Parse the words and audit."""
    try:
        return audit(parser().parse_args(words), here)
    except RefusedError as error:
        sys.stderr.write(f"security-audit.sh: {auditing.printable(error)}\n")
    except Exception as error:  # noqa: BLE001 - no trouble of ours may look like a finding of some severity
        sys.stderr.write(f"security-audit.sh: could not audit: {auditing.printable(repr(error))}\n")
        sys.stderr.write("install the package anew; if that does not help, report it with this line\n")
    return auditing.COULD_NOT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
