"""Words on the kernel's command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import Field

from harden.control import Expectation
from harden.layers.base import Layer, Placed, expect
from harden.product import Product
from harden.sabotage import Action, KernelWords
from harden.tree import Tree
from results.base.strict import Strict


class KernelSet(Strict):
    """`{parameter: slab_nomerge}` or `{parameter: init_on_alloc=1}`."""

    parameter: str = Field(pattern=r"^[A-Za-z0-9_.]+(=[A-Za-z0-9_.,:-]+)?$")


class KernelLayer(Layer[KernelSet]):
    """Takes effect at the next boot; the loader's entries carry it."""

    name = "kernel"
    shape = KernelSet
    remediation = "add the word to `options` in every /boot/efi/loader/entries/*.conf, and reboot"

    def kernel_parameters(self, controls: Sequence[Placed[KernelSet]]) -> Iterator[str]:
        """The words, in the order of the catalogue."""
        for one in controls:
            yield one.set.parameter

    def expectations(self, placed: Placed[KernelSet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """What this boot has, and what the next one will have."""
        del product, tree
        word = [placed.set.parameter]
        yield expect("machine", "cmdline", op="contains", expected=word, note="this boot")
        yield expect("loader", "*", op="contains", read="words", expected=word, note="the next boot")

    def sabotages(
        self, placed: Placed[KernelSet], siblings: Sequence[Placed[KernelSet]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """A boot without the word."""
        del siblings, product, tree
        yield KernelWords(remove=(placed.set.parameter,))
