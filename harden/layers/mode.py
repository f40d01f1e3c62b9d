"""Modes and owners of paths that others make: kept by systemd-tmpfiles, at boot and on deployment alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field

from harden.control import Expectation
from harden.layers.base import Layer, Placed, expect, render_file, unchanged
from harden.product import Product
from harden.sabotage import Action, Chmod
from harden.tree import Tree, TreeFile
from results.base.strict import Strict


class ModeSet(Strict):
    """One path (or a glob, all of whose matches have to hold), and the most that it may be open."""

    path: str = Field(pattern=r"^(/|\$\{)")
    mode: str = Field(pattern=r"^0[0-7]{3}$")
    owner: str = "root"
    group: str = "root"
    kind: Literal["directory", "file"] = "file"
    optional: bool = False
    """Not every machine has it: then the control only sees to it that it would be set."""
    create: bool = False
    """An empty file is made where there is none."""
    recursive: bool = False
    """Everything below it gets the owner and group too; modes below it are left alone."""


class ModeLayer(Layer[ModeSet]):
    """Modes and owners."""

    name = "mode"
    shape = ModeSet
    remediation = "`systemd-tmpfiles --create` sets modes and owners again"

    def files(self, controls: Sequence[Placed[ModeSet]], product: Product) -> Iterator[TreeFile]:
        """One tmpfiles.d file; systemd-tmpfiles handles parents before children by itself."""
        if controls:
            path = f"/etc/tmpfiles.d/{product.name}-hardening.conf"
            yield render_file("tmpfiles.conf.j2", path, controls, kept=tuple(product.paths.values()))

    def expectations(self, placed: Placed[ModeSet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """Mode, owner, group, and that it is no link to somewhere else."""
        del product
        wanted = placed.set
        if wanted.optional:
            yield from unchanged(placed, tree)
            return
        fact = ("files", wanted.path)
        yield expect(*fact, "type", op="equals", expected=wanted.kind)
        yield expect(*fact, "mode", op="mode_within", read="octal", expected=wanted.mode)
        yield expect(*fact, "owner", op="equals", expected=wanted.owner)
        yield expect(*fact, "group", op="equals", expected=wanted.group)

    def sabotages(
        self, placed: Placed[ModeSet], siblings: Sequence[Placed[ModeSet]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """Given away, to a group that may write; what no machine has to have is left out of the list of modes."""
        wanted = placed.set
        if wanted.optional:
            yield from self.lacking(placed, siblings, product, tree)
        else:
            mode = "0775" if wanted.kind == "directory" else "0664"
            yield Chmod(path=wanted.path, mode=mode, owner="nobody", group="nogroup")
