"""`judges.json`: what others say of a machine, before against after (README, "Files of a run").

Everything in it came out of programs that ran in a machine, so every text and every number of entries is bounded.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from results.base.strict import Strict
from results.records import Variant, Verdict

FILE = "judges.json"

MOST = 1000
"""Entries of any one list."""

Text = Annotated[str, StringConstraints(max_length=2000)]
Side = Literal["before", "after"]
"""The machine as shipped, and the hardened image."""


class Answer(Strict):
    """What stands against one remark: the controls that see to it, or why it stays, or both."""

    controls: tuple[Text, ...] = ()
    reason: Text = ""


class Remark(Strict):
    """One warning or suggestion of Lynis. `about` is what it is about, where the test has several."""

    kind: Literal["warning", "suggestion"]
    test: Text
    text: Text
    about: Text = ""
    answer: Answer | None = None


class Lynis(Strict):
    """One run of Lynis."""

    version: Text
    index: int = Field(ge=0, le=100)
    """Its hardening index."""
    tests: int = Field(ge=0)
    """Tests that it executed."""
    seconds: float
    remarks: tuple[Remark, ...] = Field(default=(), max_length=MOST)


class Audit(Strict):
    """Our own audit of a machine that Lynis was asked about, too."""

    seconds: float = Field(gt=0)
    """Collecting all facts, over SSH where nothing else is said, and judging them."""
    checks: int = Field(gt=0)


class Exposure(Strict):
    """systemd's own score of one unit, 0 (least exposed) to 10; None where the unit is not there."""

    unit: Text
    before: float | None = None
    after: float | None = None
    wanted: float | None = None
    """The most that it may be, where one is stated."""


class KernelValue(Strict):
    """One expectation of kernel-hardening-checker. `before` and `after` are its words; None: not asked."""

    name: Text
    kind: Literal["kconfig", "cmdline", "sysctl", "version"]
    wanted: Text
    source: Text
    """Who recommends it, as the tool says."""
    before: Text | None = None
    after: Text | None = None
    holds_before: bool | None = None
    holds_after: bool | None = None


class Kernel(Strict):
    """The kernel's own values; `version` is empty where the tool is not on the host, and `why_not` says so."""

    version: Text = ""
    why_not: Text = ""
    values: tuple[KernelValue, ...] = Field(default=(), max_length=MOST)

    @property
    def before(self) -> int:
        """How many expectations hold on the machine as shipped."""
        return sum(one.holds_before is True for one in self.values)

    @property
    def after(self) -> int:
        """How many hold on the hardened one."""
        return sum(one.holds_after is True for one in self.values)


class Judges(Strict):
    """The whole record."""

    schema_version: Literal[1] = 1
    target: str
    started: str
    verdict: Verdict
    why: tuple[Text, ...] = ()
    notes: tuple[Text, ...] = ()
    images: dict[Variant, str]
    """Digest of the disk that each machine ran from."""
    wanted_index: int | None = None
    """The least that Lynis' index may be after the hardening, where one is stated for this target."""
    before: Lynis
    after: Lynis
    exposures: tuple[Exposure, ...] = Field(default=(), max_length=MOST)
    kernel: Kernel = Kernel()
    audit: Audit | None = None
    """Of the hardened machine, before Lynis."""
    own_tool: Audit | None = None
    """The same by the machine's own tool, from its start to its end."""

    @property
    def times_faster(self) -> float | None:
        """How many of our checks are done in the time of one of Lynis' tests; None where either is not known."""
        if self.audit is None or not self.after.tests:
            return None
        return (self.after.seconds / self.after.tests) / (self.audit.seconds / self.audit.checks)

    @property
    def gone(self) -> tuple[Remark, ...]:
        """Remarks on the machine as shipped that Lynis does not make any more."""
        left = {(one.kind, one.test, one.text, one.about) for one in self.after.remarks}
        return tuple(one for one in self.before.remarks if (one.kind, one.test, one.text, one.about) not in left)
