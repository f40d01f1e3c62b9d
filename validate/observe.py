"""Everything that is asked of one machine in one state: facts, findings, probes, samples, each kept at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from results.base.events import Events
from results.records import Conditions, Finding, Findings, Key, ProbeResult, Probes, Sample, Samples
from results.store import RunFolder
from results.verdict import judged
from validate.audit.judge import judge
from validate.benchmarks.run import run_benchmarks
from validate.facts.collect import collect, needed
from validate.family import Family
from validate.machine.session import Session
from validate.plan import Plan
from validate.probes.run import run_probes


@dataclass(frozen=True)
class Observation:
    """One machine in one state, as far as it was asked."""

    key: Key
    facts: Mapping[str, Any]
    findings: tuple[Finding, ...]
    probes: tuple[ProbeResult, ...] = ()
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Observer:
    """What asking needs besides the machine: what to ask, where to keep the answers, whom to tell."""

    plan: Plan
    folder: RunFolder
    events: Events
    time_scale: float = 1.0
    """How much slower the machine is than one with KVM; stretches every deadline."""

    def audit(self, session: Session, key: Key) -> Observation:
        """Collect facts and judge the controls."""
        with self.events.step(f"{key.variant} {key.phase}: collect facts"):
            units, paths = needed(check.fact for check in self.plan.checks)
            facts = collect(session, self.plan.product, extra_units=units, extra_paths=paths)
        self.folder.stage(key.variant, key.phase, "facts.json", facts)
        findings = judge_facts(self.plan, facts)
        self.folder.stage(key.variant, key.phase, "findings.json", Findings(key=key, findings=findings))
        return Observation(key, facts, findings)

    def probe(self, session: Session, seen: Observation, family: Family) -> Observation:
        """Try every probe and judge what came of it in this state."""
        key = seen.key
        with self.events.step(f"{key.variant} {key.phase}: probes"):
            tried = run_probes(session, self.plan.product, family.people, time_scale=self.time_scale)
        probes = judged(tried, hardened=key.variant == "hardened" or key.phase != "before")
        self.folder.stage(key.variant, key.phase, "probes.json", Probes(key=key, probes=probes))
        return replace(seen, probes=probes)

    def measure(self, session: Session, seen: Observation, conditions: Conditions, repetitions: int) -> Observation:
        """Take every measure under the stated conditions."""
        key = seen.key
        with self.events.step(f"{key.variant} {key.phase}: measure"):
            taken = run_benchmarks(
                session, self.plan.product, conditions, repetitions=repetitions, time_scale=self.time_scale
            )
        record = Samples(key=key, samples=taken.samples, timeline=taken.timeline)
        self.folder.stage(key.variant, key.phase, "samples.json", record)
        return replace(seen, samples=taken.samples)


def judge_facts(plan: Plan, facts: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Every control judged against these facts, as records."""
    found = judge([asdict(check) for check in plan.checks], facts)
    return tuple(Finding.model_validate(one) for one in found)
