"""Every record of a run, as it lies on disk (README, "Files of a run").

All are frozen and strict. Times are UTC in ISO 8601 with a `Z`, durations are seconds, sizes are bytes,
digests are `sha256:<hex>`. A record that another schema version wrote is refused, never guessed at.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from results.base.strict import Strict

SCHEMA = 1

Variant = Literal["baseline", "hardened"]
Phase = Literal["before", "deployed", "after", "rebooted"]
"""`deployed` lies between: the bundle is applied, the reboot has not happened yet."""
Severity = Literal["critical", "high", "medium", "low"]


class Outcome(StrEnum):
    """What a check came to, worst first: `error` means that it could not look."""

    ERROR = "error"
    FAIL = "fail"
    WARN = "warn"
    PASS = "pass"
    NOT_APPLICABLE = "not-applicable"


class Verdict(StrEnum):
    """What a run came to. `none` is for a run that could not judge; `killed` for one that was cut off."""

    PASS = "pass"
    FAIL = "fail"
    NONE = "none"
    KILLED = "killed"


class Key(Strict):
    """What every collected record is filed under."""

    target: str
    variant: Variant
    phase: Phase
    boot_id: str


class ManifestFile(Strict):
    """One hardening file as it was baked in or deployed."""

    path: str
    mode: str
    owner: str
    group: str
    sha256: str
    controls: tuple[str, ...] = ()


class Package(Strict):
    """One installed package."""

    name: str
    version: str
    architecture: str


class ImageRecord(Strict):
    """`image.json`: what one disk is and what it was made of."""

    schema_version: Literal[1] = 1
    target: str
    variant: Variant
    workload: str
    disk: str
    """File name of the disk (raw, sparse GPT), beside this record."""
    sha256: str
    size: int
    architecture: str
    inputs: dict[str, str]
    """What decided the content: name of the input to its digest or value."""
    kernel: str
    kernel_command_line: str
    packages: tuple[Package, ...]
    files: tuple[ManifestFile, ...]
    """The hardening files; empty for `baseline`."""


class Finding(Strict):
    """One control judged against one machine's facts."""

    control: str
    title: str
    layer: str
    severity: Severity
    outcome: Outcome
    message: str
    """One line: what is wrong, or what was seen to hold."""
    expected: Any = None
    observed: Any = None
    evidence: tuple[str, ...] = ()
    """Paths into facts.json that were looked at, dotted."""
    remediation: str = ""
    references: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    source: str = ""
    """`harden/controls/x.yaml:12`: where the control stands."""
    waiver: str = ""


class Waiver(Strict):
    """A control that may fail for a while, and who answers for that."""

    control: str
    owner: str
    reason: str
    until: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    """The last UTC day on which it holds."""
    source: str = ""
    """`harden/waivers.yaml:4`: where it stands."""


class Waivers(Strict):
    """`waivers.json`: the waivers that a run was judged with."""

    schema_version: Literal[1] = 1
    now: str
    """Start of the run, UTC: what decides which waivers have expired, whenever that is asked."""
    waivers: tuple[Waiver, ...] = ()


class Findings(Strict):
    """`findings.json`."""

    schema_version: Literal[1] = 1
    key: Key
    findings: tuple[Finding, ...]


class ProbeResult(Strict):
    """One attempt inside the machine: an attack, or a use of the product that has to work."""

    id: str
    title: str
    kind: Literal["attack", "positive"]
    identity: str
    """child, parent, user, daemon, filter, monitor, remote, operator, root."""
    attempt: str
    succeeded: bool | None
    """Whether the attempt did what it set out to do; None when the attempt itself broke."""
    evidence: tuple[str, ...] = ()
    seconds: float = 0.0
    controls: tuple[str, ...] = ()
    positive_control: str = ""
    """Id of the probe that shows that the same path works for whoever should be let through."""
    outcome: Outcome = Outcome.ERROR
    """Filled in by the judge; a collector leaves it at `error`."""
    message: str = ""


class Probes(Strict):
    """`probes.json`."""

    schema_version: Literal[1] = 1
    key: Key
    probes: tuple[ProbeResult, ...]


class Conditions(Strict):
    """What a sample was taken under; samples under different conditions are never compared."""

    accelerator: str
    clock: Literal["wall", "deterministic"] = "wall"
    cpus: int
    benchmark_version: int = 1
    host: str = ""


class Sample(Strict):
    """One measure: all its raw values, in the order in which they were taken."""

    name: str
    """Dotted: `dbus.latency.parent`, `exec.storm.cost`, `boot.total`."""
    title: str
    unit: str
    better: Literal["lower", "higher"] = "lower"
    values: tuple[float, ...]
    conditions: Conditions
    detail: dict[str, Any] = Field(default_factory=dict)


class Samples(Strict):
    """`samples.json`."""

    schema_version: Literal[1] = 1
    key: Key
    samples: tuple[Sample, ...]
    timeline: tuple[dict[str, Any], ...] = ()
    """Boot timeline: units with `name`, `start`, `seconds`, slowest first."""


class BootRecord(Strict):
    """`boot.json`: one boot of one machine, as the pipeline saw it."""

    boot_id: str
    accelerator: str
    accelerator_reason: str
    command: tuple[str, ...]
    """QEMU's argument vector."""
    seconds_to_console_ready: float
    """From QEMU's start (or the guest's reset) to the guest's own word that it is up."""
    seconds_to_ready: float
    """To the pipeline's: an authenticated SSH session on the pinned host key."""
    system_state: str
    """`running` or `degraded`, as systemd says."""


class Difference(Strict):
    """One fact that is not the same on two machines."""

    path: str
    left: Any = None
    right: Any = None
    explanation: str = ""
    """Empty: nobody has explained it, and the run fails."""


class Budget(Strict):
    """What one measure may cost; at least one of the two is given."""

    change: float | None = Field(default=None, ge=0)
    """Greatest relative change for the worse that is accepted: 0.05 is 5 %."""
    limit: float | None = None
    """Absolute limit for the median after: a ceiling where lower is better, else a floor."""
    why: str = ""


class Measure(Strict):
    """One measure, before against after."""

    name: str
    title: str
    unit: str
    better: Literal["lower", "higher"]
    before: tuple[float, ...]
    after: tuple[float, ...]
    median_before: float
    median_after: float
    change: float
    """Relative change of the medians: +0.05 is 5 % more."""
    interval: tuple[float, float] | None
    """95 % bootstrap interval of the change; None with too few repetitions."""
    budget: float | None
    """Greatest relative change for the worse that is accepted; None: shown, not judged."""
    limit: float | None = None
    """Absolute limit for the value after, where the budget file has one."""
    verdict: Literal["within budget", "regressed", "inconclusive", "not judged", "void"]
    why: str = ""


class Turn(Strict):
    """One control or probe whose outcome is another one than in the last signed run."""

    name: str
    before: str
    after: str


class Release(Strict):
    """The hardened image against that of the last signed run."""

    run: str
    """Empty where there is no signed run to compare with; a note says why."""
    started: str = ""
    controls: tuple[Turn, ...] = ()
    probes: tuple[Turn, ...] = ()
    notes: tuple[str, ...] = ()


class Comparison(Strict):
    """`comparison.json`."""

    schema_version: Literal[1] = 1
    target: str
    controls_before: dict[str, int]
    """Outcome to number of controls."""
    controls_after: dict[str, int]
    changed: tuple[dict[str, str], ...]
    """Controls whose outcome differs: control, before, after."""
    drift: tuple[Difference, ...]
    """Baked against deployed."""
    rebooted: tuple[Difference, ...] | None = None
    """The baked machine before and after one more reboot; None: not compared."""
    release: Release | None = None
    """Against the last signed run; None: no key was named whose runs are releases."""
    measures: tuple[Measure, ...]
    bootstrap_seed: int
    notes: tuple[str, ...] = ()
    """What whoever keeps the rules should know: explanations that explain nothing, measures without a partner."""


class HostRecord(Strict):
    """The host that a run was made on."""

    cpu: str
    cpus: int
    memory: int
    kernel: str
    qemu: str
    python: str
    accelerator: str
    accelerator_reason: str


class StepRecord(Strict):
    """One step of a run."""

    name: str
    started: str
    seconds: float
    failed: bool = False
    cpu: float | None = None
    """Seconds of CPU that we and all that we started used meanwhile."""


class RunRecord(Strict):
    """`run.json`. Written at the start as `killed`, and rewritten with the truth at the end."""

    schema_version: Literal[1] = 1
    id: str
    target: str
    workload: str
    started: str
    finished: str = ""
    verdict: Verdict = Verdict.KILLED
    why: tuple[str, ...] = ()
    exit_code: int = 3
    complete: bool = False
    """False: the run ended early, and what is here is the evidence until then."""
    error: str = ""
    git_commit: str = ""
    host: HostRecord | None = None
    images: dict[str, ImageRecord] = Field(default_factory=dict)
    boots: tuple[BootRecord, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    peak_memory: int = 0
    """Of our own process, bytes."""
    idle: float | None = None
    """Share of the time in which not even one core worked for us: what each step's CPU falls short of its duration."""
