"""Rules of the kernel's audit log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pydantic import field_validator

from harden.control import Expectation
from harden.layers.base import Layer, Placed, expect, render_file
from harden.product import Product
from harden.sabotage import BOOT, Action, Audit, Write
from harden.tree import Tree, TreeFile
from results.base.strict import Strict

_KEY = re.compile(r"(?:-k |-F key=)(\S+)$")
_WATCH = re.compile(r"-w (/\S+) -p [rwxa]+ -k \S+")
_CALLS = re.compile(r"-a always,exit -F arch=b(?:32|64) -S \S+ (?:-[FC] \S+ )*-F key=\S+")


class AuditSet(Strict):
    """`{rules: [...]}`: a watch (`-w PATH -p wa -k KEY`) or system calls (`-a always,exit -F arch=… -F key=KEY`)."""

    rules: tuple[str, ...] = ()
    immutable: bool = False
    """Lock the rules until the next boot, behind all others."""

    @field_validator("rules")
    @classmethod
    def _shaped(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for rule in rules:
            if "*" in rule:
                raise ValueError(f"watches take no globs: {rule}")
            if "${" not in rule and not _WATCH.fullmatch(rule) and not _CALLS.fullmatch(rule):
                raise ValueError(f"neither a watch with a key nor a system call rule with arch and key: {rule}")
        return rules


def listed(rule: str) -> str:
    """The rule as `auditctl -l` prints it back."""
    return rule.replace("auid!=unset", "auid!=-1")


def key_of(rule: str) -> str:
    """The rule's key."""
    found = _KEY.search(rule)
    return found[1] if found else ""


def deletion(rule: str) -> str:
    """The line that takes the rule out of the kernel again."""
    return rule.replace("-w ", "-W ", 1) if rule.startswith("-w ") else rule.replace("-a ", "-d ", 1)


class AuditLayer(Layer[AuditSet]):
    """One file for all rules; the lock comes last."""

    name = "audit"
    shape = AuditSet
    remediation = "`augenrules --load` loads the rules; where they are locked already, only a reboot does"

    def files(self, controls: Sequence[Placed[AuditSet]], product: Product) -> Iterator[TreeFile]:
        """The order of files is that of their names; augenrules moves the lock behind everything by itself."""
        if controls:
            path = f"/etc/audit/rules.d/50-{product.name}.rules"
            immutable = any(one.set.immutable for one in controls)
            yield render_file("audit.rules.j2", path, controls, mode=0o640, immutable=immutable)

    def expectations(self, placed: Placed[AuditSet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """What the kernel holds: the very rule, and its key."""
        del product, tree
        rules = placed.set.rules
        if rules:
            yield expect("audit", "rules", op="contains", expected=[listed(rule) for rule in rules])
            yield expect("audit", "keys", op="contains", expected=sorted({key_of(rule) for rule in rules}))
        if placed.set.immutable:
            yield expect("audit", "enabled", op="equals", read="int", expected=2)

    def sabotages(
        self, placed: Placed[AuditSet], siblings: Sequence[Placed[AuditSet]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """The rules are taken out of the kernel; where they are locked, only a boot without the lock allows that."""
        if placed.set.rules:
            yield Audit(lines=tuple(deletion(rule) for rule in placed.set.rules))
        if placed.set.immutable:
            for change in self.lacking(placed, siblings, product, tree):
                yield change.model_copy(update={"then": (BOOT,), "unlocks": isinstance(change, Write)})
