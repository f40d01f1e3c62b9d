"""AppArmor profiles: what each program needs stands in its template, what it is denied in controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from harden.control import Expectation
from harden.layers.base import Layer, Placed, expect, render_file
from harden.product import Product
from harden.sabotage import Action, Complain
from harden.tree import Tree, TreeFile
from results.base.strict import Strict

CTL = "ctl"
"""The one profile without a unit: it attaches to whoever runs the program."""


class AppArmorSet(Strict):
    """`{profile: daemon, deny: [...]}`; with nothing to deny, the control is that the profile is enforced."""

    profile: str
    deny: tuple[str, ...] = ()
    """Rules without the word `deny` and without the comma: `/etc/shadow r`."""
    mode: str = Field(default="enforce", pattern="^enforce$")


def profile_name(product: Product, key: str) -> str:
    """The profile's name in the kernel, and its file under /etc/apparmor.d."""
    return product.units[key].apparmor if key in product.units else f"{product.name}.{key}"


def binary_of(product: Product, key: str) -> str:
    """The executable that the profile attaches to."""
    return product.binaries[product.units[key].binary if key in product.units else key]


class AppArmorLayer(Layer[AppArmorSet]):
    """Mandatory access control for each of the product's programs."""

    name = "apparmor"
    shape = AppArmorSet
    remediation = "`apparmor_parser -r` on the profile's file loads it again, in enforce mode"
    in_force = ("profile {path}",)

    def files(self, controls: Sequence[Placed[AppArmorSet]], product: Product) -> Iterator[TreeFile]:
        """One profile a program."""
        for key in sorted({one.set.profile for one in controls}):
            name = profile_name(product, key)
            own = [one for one in controls if one.set.profile == key]
            yield render_file(
                f"apparmor/{key}.j2",
                f"/etc/apparmor.d/{name}",
                own,
                name=name,
                binary=binary_of(product, key),
                product=product,
                unit=product.units.get(key),
            )

    def expectations(self, placed: Placed[AppArmorSet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """The kernel enforces the profile, its file is ours, and the running process wears it."""
        key = placed.set.profile
        name = profile_name(product, key)
        yield expect("apparmor", "profiles", name, op="equals", expected=placed.set.mode)
        if placed.set.deny:
            path = f"/etc/apparmor.d/{name}"
            yield expect("files", path, "sha256", op="equals", expected=tree.by_path[path].sha256)
        elif key in product.units:
            process = ("units", product.units[key].glob, "process", "apparmor")
            yield expect(*process, op="equals", expected=f"{name} ({placed.set.mode})")

    def sabotages(
        self,
        placed: Placed[AppArmorSet],
        siblings: Sequence[Placed[AppArmorSet]],
        product: Product,
        tree: Tree,
    ) -> Iterator[Action]:
        """The profile without the denials, or one that only complains."""
        if placed.set.deny:
            yield from self.lacking(placed, siblings, product, tree)
        else:
            yield Complain(path=f"/etc/apparmor.d/{profile_name(product, placed.set.profile)}")
