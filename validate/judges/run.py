"""Asks the judges about one machine. Lynis goes into the throw-away machine as files, and stays in it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from harden.guest.auditing import COULD_NOT
from images import apt
from images.cache import Cache
from images.target import Target
from images.tool import tool_files
from results.base.errors import InfrastructureError
from results.base.events import Events
from results.judges import Audit, Lynis
from validate.audit.judge import judge
from validate.facts.collect import collect, needed
from validate.judges.exposure import COMMAND, parse_scores
from validate.judges.exposure import LIMIT as SCORES_LIMIT
from validate.judges.kernel import KernelState, read_state
from validate.judges.lynis import LIMIT, parse_report
from validate.machine.session import Session
from validate.plan import Plan

PACKAGE = "lynis"
FOLDERS = ("usr/sbin/lynis", "usr/share/lynis", "etc/lynis")
REPORT = "/root/lynis-report.dat"
TOOL = "security-audit.sh"

# Lynis asks `date` for every line of its log, which is most of its time under emulation; the report has no need of it.
AUDIT = ("env", "LC_ALL=C", "LANG=C", "lynis", "audit", "system", "--quick", "--quiet", "--no-colors", "--no-log")
SECONDS = 300.0
"""What Lynis may take with KVM."""


@dataclass(frozen=True)
class Opinion:
    """What the judges say of one machine."""

    lynis: Lynis
    scores: Mapping[str, float]
    kernel: KernelState
    audit: Audit | None = None
    own_tool: Audit | None = None


def fetch_lynis(target: Target, cache: Cache, events: Events) -> Path:
    """Debian's own package of the target's suite, as a tar. Raises `InfrastructureError`."""
    return tool_files(target, apt.discover(target), PACKAGE, FOLDERS, cache=cache, events=events)


def audited(session: Session, plan: Plan) -> Audit:
    """How long our own audit takes of the same machine. Raises `InfrastructureError`."""
    units, paths = needed(check.fact for check in plan.checks)
    checks = [asdict(check) for check in plan.checks]
    started = time.monotonic()
    judge(checks, collect(session, plan.product, extra_units=units, extra_paths=paths))
    return Audit(seconds=round(time.monotonic() - started, 3), checks=len(checks))


def tool_audited(session: Session, plan: Plan, *, time_scale: float) -> Audit:
    """How long the machine's own tool takes of it. Raises `InfrastructureError` where it could not audit."""
    done = session.run([TOOL, "--folder", "/root"], timeout=60 * time_scale, check=False)
    if done.status >= COULD_NOT:
        raise InfrastructureError(f"{TOOL} could not audit the machine", "see what it says", evidence=done.tail)
    return Audit(seconds=round(done.seconds, 3), checks=len(plan.checks))


def ask(session: Session, lynis: Path, name: str, *, time_scale: float, events: Events) -> Opinion:
    """Ask all judges; Lynis last, as it leaves its traces. Raises `InfrastructureError`."""
    with events.step(f"{name}: exposure scores"):
        scores = session.run(COMMAND, timeout=60 * time_scale, limit=SCORES_LIMIT)
    with events.step(f"{name}: kernel settings"):
        state = read_state(session)
    with events.step(f"{name}: Lynis"):
        session.run(["tar", "-xzf", "-", "-C", "/", "--no-same-owner"], stdin=lynis.read_bytes())
        done = session.run([*AUDIT, "--report-file", REPORT], timeout=SECONDS * time_scale, check=False)
        report = session.run(["cat", REPORT], limit=LIMIT + 1, check=False)
    if report.status != 0:
        raise InfrastructureError(f"{name}: Lynis left no report", "the transcript has the rest", evidence=done.tail)
    return Opinion(parse_report(report.stdout, seconds=done.seconds), parse_scores(scores.stdout), state)
