"""`audit`: facts and findings of any machine over SSH, or of stored facts, without building or booting anything."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harden.waivers import load_waivers
from images.nixos import STORE
from results.base.errors import ExitCode, UsageError
from results.base.events import Events
from results.records import Finding, Findings, Key, Outcome, Waivers
from results.store import RunFolder, create, timestamp
from results.terminal import Terminal
from results.waiving import expired, waived
from validate.audit.judge import summary
from validate.facts.collect import collect, needed
from validate.facts.schema import load_facts
from validate.machine.session import Session
from validate.observe import judge_facts
from validate.options import Options
from validate.plan import in_store, load_plan, on_nixos
from validate.store_paths import ask


def parse_host(words: str) -> tuple[str, str, int]:
    """`user@host[:port]` as its parts. Raises `UsageError`."""
    user, at, rest = words.rpartition("@")
    host, colon, port = rest.rpartition(":")
    if not colon:
        host, port = rest, "22"
    if not at or not user or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"--host {words}: not user@host[:port]", "for example root@192.0.2.7 or root@192.0.2.7:2222")
    return user, host.strip("[]"), int(port)


def _show(judged: tuple[Finding, ...], waivers: Waivers, terminal: Terminal) -> int:
    findings = waived(judged, waivers)
    for one in findings:
        if one.waiver or one.outcome not in (Outcome.PASS, Outcome.NOT_APPLICABLE):
            waiver = f" [waiver: {one.waiver}]" if one.waiver else ""
            terminal.line(f"{one.outcome:5} {one.severity:8} {one.control}: {one.message}{waiver}")
    late = expired(waivers)
    for gone in late:
        terminal.line(f"the waiver of {gone.control} has expired: {gone.owner}, until {gone.until} ({gone.source})")
    told: Mapping[str, Any] = summary([one.model_dump() for one in findings])
    terminal.line(str(told["text"]))
    covered = {one.control for one in findings if one.waiver}
    failed = late or not findings or any(control not in covered for control in told["blocking"])
    return int(ExitCode.FAIL if failed else ExitCode.PASS)


def _folder(options: Options, target: str) -> RunFolder:
    return create(options.results, target, " ".join(options.workload))


def _image(options: Options) -> Path:
    """Where `nixos.json` lies for stored facts. Raises `UsageError`."""
    if "baseline" not in options.image:
        raise UsageError(
            f"audit: --facts of a NixOS machine, and no {STORE} for it",
            "`--image baseline=FOLDER`: an image's folder, or the folder of the audit that took the facts",
        )
    return options.image["baseline"]


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Judge `--facts`, or collect from `--host` and judge."""
    plan = load_plan(options.product)
    on_nix = "nixos" in options.targets
    waivers = load_waivers(options.waivers, plan.catalogue.by_id, now=timestamp())
    if options.facts:
        if on_nix:
            plan = on_nixos(plan, _image(options))
        return _show(judge_facts(plan, load_facts(Path(options.facts))), waivers, terminal)
    if not options.host:
        raise UsageError("audit: neither --host nor --facts", "`-- --host user@host[:port]` or `-- --facts FILE`")
    user, host, port = parse_host(options.host)
    with Session.connect(host, port, user=user, identity=options.identity or None, events=events) as session:
        if on_nix:
            plan = in_store(plan, ask(session, plan.described))
        units, paths = needed(check.fact for check in plan.checks)
        facts = collect(session, plan.product, extra_units=units, extra_paths=paths)
    folder = _folder(options, "audit")
    if plan.store:
        folder.write(STORE, plan.store)
    folder.stage("baseline", "after", "facts.json", facts)
    findings = judge_facts(plan, facts)
    key = Key(
        target="audit",
        variant="baseline",
        phase="after",
        boot_id=str(facts.get("machine", {}).get("boot_id", "unknown")),
    )
    folder.stage("baseline", "after", "findings.json", Findings(key=key, findings=findings))
    terminal.line(f"facts: {folder.path / 'baseline/after/facts.json'}")
    folder.write("waivers.json", waivers)
    return _show(findings, waivers, terminal)
