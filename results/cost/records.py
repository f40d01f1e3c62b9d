"""Records of a `perf` run, as they lie on disk (README, "Performance"); frozen and strict."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from results.base.strict import Strict
from results.records import Budget, Conditions, HostRecord, Verdict

Rounds = tuple[float, ...]
"""Values of one measure in the rounds of one boot, in the order taken."""

Side = Literal["baseline", "hardened"]
SoakVerdict = Literal["within budget", "regressed", "inconclusive"]
MOST_LOOKS = 5000
"""At what a service holds."""
MeasureVerdict = Literal["within budget", "regressed", "inconclusive", "not judged", "void"]


class PerfBudget(Budget):
    """What one measure may cost, and how much two groups of equal boots may differ before it is void."""

    noise: float | None = Field(default=None, gt=0)
    """Greatest A/A difference, relative; None: the default for the clock."""


class Round(Strict):
    """One round in one boot: raw values by key, and by part why it gave none."""

    raw: dict[str, tuple[float, ...]]
    problems: dict[str, str] = Field(default_factory=dict)
    without: str = ""
    """The layer that was left out of the machine meanwhile; empty: none."""


class PerfBoot(Strict):
    """One boot: the unit of repetition."""

    label: str
    """`baseline-1`; of an attribution, `without-audit`."""
    side: Side
    boot_id: str
    seconds_to_ready: float
    quiet: bool
    """Whether the machine had come to rest before the first round."""
    waited: float
    """Seconds of the guest's time until then."""
    rounds: tuple[Round, ...]
    sysctl: dict[str, str] = Field(default_factory=dict)
    """The keys that the tuning sets, as this machine has them."""


class PerfMeasure(Strict):
    """One measure, baseline against hardened, over all boots."""

    name: str
    title: str
    part: str
    """Heading that it stands under."""
    unit: str
    better: Literal["lower", "higher"] = "lower"
    baseline: tuple[Rounds, ...]
    """By boot, in the order of the pairs."""
    hardened: tuple[Rounds, ...]
    median_baseline: float
    median_hardened: float
    change: float | None
    """Median of the pairs' relative change: +0.05 is 5 % more. None where there is no ratio."""
    interval: tuple[float, float] | None
    """95 % interval of the change; None with too few boots."""
    control: float | None
    """A/A: relative difference of two groups of baseline boots, which are alike."""
    noise: float
    """What the A/A difference may be."""
    spread: float | None
    """Range of the baseline boots' medians, relative to their median."""
    budget: float | None
    limit: float | None
    verdict: MeasureVerdict
    why: str = ""


class Share(Strict):
    """What one layer costs in one measure: by how much the hardened machine is dearer than the same without it."""

    layer: str
    change: float


class Attribution(Strict):
    """One measure's cost, layer by layer. In log ratios, shares and rest add up to the total."""

    name: str
    title: str
    total: float
    """log(hardened / baseline)."""
    shares: tuple[Share, ...]
    rest: float
    """What no single layer explains: other layers, what two of them cost only together, and noise."""


class TuningGroup(Strict):
    """One group of keys of production-tuning.conf on the workload that it is for."""

    control: str
    keys: dict[str, str]
    measure: str
    change: float
    """What the group does to that measure: below zero is a gain."""
    noise: float
    """Spread of the measure over the same machine's other rounds."""
    verdict: Literal["gain", "harm", "no gain shown", "changes nothing here", "not measured"]
    reason: str = ""
    """Why it stays without a gain."""


class SoakUnit(Strict):
    """One service under a steady load: what it held at each look, and what it gains a minute."""

    unit: str
    memory: tuple[int, ...] = Field(max_length=MOST_LOOKS)
    """Bytes of its own, that no file stands behind."""
    descriptors: tuple[int, ...] = Field(max_length=MOST_LOOKS)
    tasks: tuple[int, ...] = Field(max_length=MOST_LOOKS)
    slope: float | None
    """Bytes a minute, once caches are full; None with too few looks."""
    interval: tuple[float, float] | None
    allowed: float
    """Most bytes a minute."""
    verdict: SoakVerdict
    why: str = ""


class Soak(Strict):
    """One machine under a steady load, by the wall clock."""

    side: Side
    boot_id: str
    at: tuple[float, ...] = Field(max_length=MOST_LOOKS)
    """Seconds of each look."""
    turns: int
    """Of the load."""
    units: tuple[SoakUnit, ...]


class Note(Strict):
    """A change point, or why there is nothing to compare with."""

    measure: str = ""
    text: str


class Series(Strict):
    """One measure on the hardened machine from run to run, all under the same conditions."""

    name: str
    runs: tuple[str, ...]
    values: tuple[float, ...]
    changed_at: int | None = None
    """Index of the first run after the change."""


class PerfRecord(Strict):
    """`perf.json`. Written first as `killed`, like `run.json`, and replaced at the end."""

    schema_version: Literal[1] = 1
    id: str
    target: str
    workload: str
    started: str
    finished: str = ""
    verdict: Verdict = Verdict.KILLED
    why: tuple[str, ...] = ()
    exit_code: int = 3
    error: str = ""
    git_commit: str = ""
    host: HostRecord | None = None
    images: dict[str, str] = Field(default_factory=dict)
    """Variant to the digest of its disk."""
    conditions: Conditions | None = None
    bootstrap_seed: int = 1
    boots: tuple[PerfBoot, ...] = ()
    """Baseline and hardened, in the order started."""
    attribution_boots: tuple[PerfBoot, ...] = ()
    measures: tuple[PerfMeasure, ...] = ()
    attribution: tuple[Attribution, ...] = ()
    tuning: tuple[TuningGroup, ...] = ()
    soaks: tuple[Soak, ...] = ()
    notes: tuple[Note, ...] = ()
    history: tuple[Series, ...] = ()
    seconds: float = 0.0
