"""The product's policy on the system bus: who may own the name, and which role may call what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import model_validator

from harden.control import Expectation
from harden.layers.base import Layer, Placed, expect, render_file
from harden.product import Product
from harden.sabotage import Action, OwnName, Write
from harden.tree import Tree, TreeFile
from results.base.strict import Strict


class BusSet(Strict):
    """`{rule: default}` denies everyone, `owner` lets the daemon own the name, `root` and `role` may call."""

    rule: Literal["default", "owner", "root", "role"]
    role: str = ""

    @model_validator(mode="after")
    def _role_named(self) -> BusSet:
        if (self.rule == "role") != bool(self.role):
            raise ValueError("`role` goes with `rule: role`, and only there")
        return self


class BusLayer(Layer[BusSet]):
    """Takes the place of the vendor's policy file: two files for one name would add up."""

    name = "bus"
    shape = BusSet
    remediation = "put the policy file back and `systemctl reload dbus`; look for other files that name the service"
    in_force = ("reload dbus.service",)

    def files(self, controls: Sequence[Placed[BusSet]], product: Product) -> Iterator[TreeFile]:
        """The vendor's own file, rewritten."""
        if controls:
            rules = {one.set.rule: one.id for one in controls if one.set.rule != "role"}
            roles = {one.set.role: one.id for one in controls if one.set.role}
            yield render_file(
                "bus-policy.conf.j2",
                product.paths["bus_policy"],
                controls,
                product=product,
                bus=product.bus,
                owner=product.accounts[product.bus.owner].user,
                rules=rules,
                roles=roles,
            )

    def expectations(self, placed: Placed[BusSet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """The file is ours, and the name's owner on the live bus is who it has to be."""
        path = product.paths["bus_policy"]
        yield expect("files", path, "sha256", op="equals", expected=tree.by_path[path].sha256)
        if placed.set.rule == "owner":
            owner = product.accounts[product.bus.owner].user
            yield expect("dbus", "names", product.bus.name, "user", op="equals", expected=owner)

    def sabotages(
        self, placed: Placed[BusSet], siblings: Sequence[Placed[BusSet]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """The policy without the rule; where it says who owns the name, root may own it, and does."""
        changes = list(self.lacking(placed, siblings, product, tree))
        if placed.set.rule != "owner":
            yield from changes
            return
        name = product.bus.name
        grant = f'<policy user="root"><allow own="{name}"/></policy>\n</busconfig>'
        for change in changes:
            if isinstance(change, Write):
                yield change.model_copy(update={"content": change.content.replace("</busconfig>", grant)})
        unit = next(unit for unit in product.units.values() if unit.account == product.bus.owner)
        yield OwnName(name=name, unit=unit.name)
