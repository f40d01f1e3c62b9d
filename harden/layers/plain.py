"""Layers that are one settings file each: sshd, journald, blocked kernel modules, whole files from a template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import Field, model_validator

from harden.control import Expectation
from harden.layers.base import Layer, Placed, expect, render_file, unchanged
from harden.product import Product
from harden.sabotage import Action, Append, LoadModules, Remove
from harden.tree import Tree, TreeFile
from results.base.errors import UsageError
from results.base.strict import Strict


class Settings(Strict):
    """`{MaxAuthTries: 3}`: keywords to values."""

    values: dict[str, bool | int | str] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        return data if isinstance(data, dict) and "values" in data else {"values": data}

    def written(self) -> dict[str, str]:
        """Values as such files spell them."""
        return {key: {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
                for key, value in self.values.items()}  # fmt: skip


OPPOSITES = {"yes": "no", "no": "yes", "prohibit-password": "yes", "none": "any", "VERBOSE": "QUIET", "INFO": "QUIET"}
"""What is said instead of a word; a control with another one names its own sabotage."""


def otherwise(name: str, value: str) -> str:
    """Another valid value of an SSH server's keyword. Raises `UsageError` where none is known."""
    if value in OPPOSITES:
        return OPPOSITES[value]
    if value.startswith("/"):
        return "none"
    if " " in value:  # a list: one more word
        return f"{value} nogroup"
    head, comma, _ = value.rpartition(",")
    if comma:
        return head
    front, digits = re.fullmatch(r"(.*?)(\d*)", value).groups()  # type: ignore[union-attr]  # it fits any line
    if digits:
        return f"{front}{int(digits) + 1}"
    raise UsageError(f"{name} {value}: no other value is known")


class SshdLayer(Layer[Settings]):
    """The SSH server; the first file that names a keyword wins, so ours sorts before the main one."""

    name = "sshd"
    shape = Settings
    remediation = "`sshd -T` shows what holds; a file in /etc/ssh/sshd_config.d that sorts before ours comes first"

    def files(self, controls: Sequence[Placed[Settings]], product: Product) -> Iterator[TreeFile]:
        """One file that Debian's sshd_config includes first."""
        if controls:
            path = f"/etc/ssh/sshd_config.d/50-{product.name}-hardening.conf"
            yield render_file("sshd.conf.j2", path, controls)

    def expectations(self, placed: Placed[Settings], product: Product, tree: Tree) -> Iterator[Expectation]:
        """What the server itself says is in force."""
        del product, tree
        spelt = {"prohibit-password": "without-password"}
        for name, value in placed.set.written().items():
            fact = ("sshd", name.lower())
            if " " in value:  # the server prints a list as one line a word
                yield expect(*fact, op="equals", read="words", expected=value.split())
            else:
                yield expect(*fact, op="equals", expected=spelt.get(value, value))

    def sabotages(
        self, placed: Placed[Settings], siblings: Sequence[Placed[Settings]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """A file that sorts before ours says otherwise."""
        del siblings, product, tree
        for name, value in placed.set.written().items():
            yield Append(path="/etc/ssh/sshd_config.d/00-falsify.conf", content=f"{name} {otherwise(name, value)}\n")


class JournalLayer(Layer[Settings]):
    """The journal."""

    name = "journal"
    shape = Settings
    remediation = "put the file back and `systemctl restart systemd-journald`"
    in_force = ("restart systemd-journald.service",)

    def files(self, controls: Sequence[Placed[Settings]], product: Product) -> Iterator[TreeFile]:
        """A drop-in for journald."""
        if controls:
            yield render_file("journald.conf.j2", f"/etc/systemd/journald.conf.d/50-{product.name}.conf", controls)

    def expectations(self, placed: Placed[Settings], product: Product, tree: Tree) -> Iterator[Expectation]:
        """Where the journal lies, and for the rest that the file is ours."""
        del product
        if placed.set.values.get("Storage") == "persistent":
            yield expect("journal", "persistent", op="equals", expected=True)
        yield from unchanged(placed, tree)

    def sabotages(
        self, placed: Placed[Settings], siblings: Sequence[Placed[Settings]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """The settings without these; a journal that has to persist is thrown away."""
        yield from self.lacking(placed, siblings, product, tree)
        if placed.set.values.get("Storage") == "persistent":
            path = f"/etc/systemd/journald.conf.d/99-{product.name}-falsify.conf"
            yield Append(path=path, content="[Journal]\nStorage=volatile\n")
            yield Remove(path="/var/log/journal", then=self.in_force)


class ModuleSet(Strict):
    """`{blocked: [dccp, sctp]}`: modules that never load, not even on demand."""

    blocked: tuple[str, ...] = Field(min_length=1)


class ModuleLayer(Layer[ModuleSet]):
    """Kernel modules that nobody here needs and that an unprivileged program could make the kernel load."""

    name = "module"
    shape = ModuleSet
    remediation = "put the file back; `rmmod` a module that is loaded already, or reboot"

    def files(self, controls: Sequence[Placed[ModuleSet]], product: Product) -> Iterator[TreeFile]:
        """One modprobe.d file."""
        if controls:
            yield render_file("modprobe.conf.j2", f"/etc/modprobe.d/{product.name}.conf", controls)

    def expectations(self, placed: Placed[ModuleSet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """The file is ours."""
        del product
        yield from unchanged(placed, tree)

    def sabotages(
        self, placed: Placed[ModuleSet], siblings: Sequence[Placed[ModuleSet]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """The list without these, and those that the kernel has are loaded."""
        yield from self.lacking(placed, siblings, product, tree)
        yield LoadModules(modules=placed.set.blocked)


class FileSet(Strict):
    """`{template: logrotate.j2, path: /etc/logrotate.d/x}`: a whole file, from a template of its own."""

    template: str = Field(pattern=r"\.j2$")
    path: str = Field(pattern=r"^(/|\$\{)")
    mode: str = Field(default="0644", pattern=r"^0[0-7]{3}$")


class FileLayer(Layer[FileSet]):
    """Whole files."""

    name = "file"
    shape = FileSet
    remediation = "put the file back: applying the hardening again does it"

    def files(self, controls: Sequence[Placed[FileSet]], product: Product) -> Iterator[TreeFile]:
        """One file a path."""
        for path in sorted({one.set.path for one in controls}):
            own = [one for one in controls if one.set.path == path]
            mode = int(own[0].set.mode, 8)
            yield render_file(own[0].set.template, path, own, mode=mode, product=product)

    def expectations(self, placed: Placed[FileSet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """The file is ours."""
        del product
        yield from unchanged(placed, tree)
