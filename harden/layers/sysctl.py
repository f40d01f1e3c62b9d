"""Kernel settings under /proc/sys: security, and the tuning that the seed keeps in a file of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field, field_validator, model_validator

from harden.control import Expectation
from harden.layers.base import Layer, Placed, expect, render_file
from harden.product import Product
from harden.sabotage import BOOT, Action, SetSysctl
from harden.tree import Tree, TreeFile
from results.base.strict import Strict

GONE = {
    "kernel.exec-shield": "never was in the mainline kernel",
    "kernel.sched_min_granularity_ns": "moved to debugfs in Linux 5.13",
    "kernel.sched_wakeup_granularity_ns": "moved to debugfs in Linux 5.13",
    "kernel.sched_migration_cost_ns": "moved to debugfs in Linux 5.13",
    "kernel.sched_latency_ns": "moved to debugfs in Linux 5.13",
    "net.ipv4.tcp_tw_recycle": "gone since Linux 4.12",
}
"""Settings that guides still name and that no supported kernel has."""


LOCKED = ("kernel.unprivileged_bpf_disabled", "kernel.kexec_load_disabled", "kernel.modules_disabled")
"""Once on, the kernel turns them off at a boot and never before."""


def others(value: int | str) -> tuple[str, ...]:
    """Other values that the kernel may take: one less (the weaker side of most settings) first."""
    words = str(value).split()
    if not words or not words[-1].isdigit():
        return (f"{value}0",)
    number = int(words[-1])
    return tuple(" ".join([*words[:-1], str(other)]) for other in (number - 1, number + 1) if other >= 0)


class SysctlSet(Strict):
    """`{kernel.kptr_restrict: 2}`: names, dotted, to values."""

    values: dict[str, int | str] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        return data if isinstance(data, dict) and "values" in data else {"values": data}

    @field_validator("values")
    @classmethod
    def _exist(cls, values: dict[str, int | str]) -> dict[str, int | str]:
        wrong = [f"{name} {GONE[name]}" for name in values if name in GONE]
        if wrong:
            raise ValueError("; ".join(wrong))
        return values


class SysctlLayer(Layer[SysctlSet]):
    """Security settings."""

    name = "sysctl"
    shape = SysctlSet
    remediation = "`sysctl --system` loads the files again; one that sorts behind ours may set it otherwise"
    # Behind all others: bookworm's 99-protect-links.conf and the administrator's 99-sysctl.conf would win else.
    path = "/etc/sysctl.d/99-zz-{name}-security.conf"
    title = "Security settings of the kernel"

    def files(self, controls: Sequence[Placed[SysctlSet]], product: Product) -> Iterator[TreeFile]:
        """One file, in the order of the catalogue."""
        if controls:
            path = self.path.format(name=product.name)
            yield render_file("sysctl.conf.j2", path, controls, title=self.title)

    def expectations(self, placed: Placed[SysctlSet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """The live value, and the value that the next boot will set."""
        del product, tree
        for name, value in placed.set.values.items():
            words = str(value).split()
            yield expect("sysctl", name, op="equals", read="words", expected=words)
            yield expect("sysctl_configured", name, "value", op="equals", read="words", expected=words)

    def sabotages(
        self, placed: Placed[SysctlSet], siblings: Sequence[Placed[SysctlSet]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """Another value, live and in a file that sorts behind ours; what is locked waits for a boot."""
        del siblings, product, tree
        for name, value in placed.set.values.items():
            yield SetSysctl(name=name, values=others(value), then=(BOOT,) if name in LOCKED else ())


class TuningLayer(SysctlLayer):
    """`production-tuning.conf` of the seed, which is applied as a step of its own."""

    name = "tuning"
    remediation = "`sysctl -p /etc/sysctl.d/99-dots-family-tuning.conf` sets it again"
    path = "/etc/sysctl.d/99-{name}-tuning.conf"
    title = "Tuning for production (production-tuning.conf)"
