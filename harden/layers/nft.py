"""Packet filter: which accounts may send packets where. A table of our own, loaded with the accounts filled in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from harden.control import Expectation
from harden.layers.base import Layer, Placed, expect, render_file
from harden.product import Product
from harden.tree import Tree, TreeFile
from results.base.strict import Strict

SOURCE = Path(__file__).parent.parent / "guest" / "egress.py"
UNITS = "/etc/systemd/system"


class NftSet(Strict):
    """`{rules: [...]}`: rules of the output chain, spelt as `nft list` prints them; sets are @children and @filter."""

    rules: tuple[str, ...] = Field(min_length=1)
    no_others: bool = False
    """Also see to it that nobody has added a rule to the chain: one that accepts would hide those behind it."""


def sets(product: Product) -> dict[str, str]:
    """Set of the table to where its accounts come from, as egress.py takes it."""
    return {"children": f"group:{product.groups['children']}", "filter": f"user:{product.accounts['filter'].user}"}


def table(product: Product) -> str:
    """The table's name: nftables takes no hyphen."""
    return product.name.replace("-", "_")


class NftLayer(Layer[NftSet]):
    """Only the output chain: what comes in is the services' own business, and SSH's."""

    name = "nft"
    shape = NftSet
    in_force = ("restart dots-family-egress.service",)
    remediation = "`systemctl start dots-family-egress.service` loads the rules again; `nft list ruleset` shows them"

    def files(self, controls: Sequence[Placed[NftSet]], product: Product) -> Iterator[TreeFile]:
        """The rules, what fills and loads them, and the units that start it: at boot, and when accounts change."""
        if not controls:
            return
        folder, unit = f"/etc/{product.name}-hardening", f"{product.name}-egress"
        script, rules = f"{folder}/egress.py", f"{folder}/egress.nft"
        head = f"#!/usr/bin/python3 -I\n# {script}\n# Written by the dots-family hardening; changes here are lost.\n"
        ids = tuple(sorted(one.id for one in controls))
        yield TreeFile(script, head.encode() + SOURCE.read_bytes(), 0o755, "root", "root", ids)
        names: dict[str, Any] = {
            "table": table(product),
            "sets": sets(product),
            "script": script,
            "rules": rules,
            "unit": unit,
        }
        places = {
            rules: "egress.nft.j2",
            f"{UNITS}/{unit}.service": "egress.service.j2",
            f"{UNITS}/{unit}.path": "egress.path.j2",
            f"{UNITS}/multi-user.target.d/50-{product.name}-hardening.conf": "egress-start.conf.j2",
            f"{UNITS}/nftables.service.d/50-{product.name}-hardening.conf": "egress-again.conf.j2",
        }
        for path, template in places.items():
            yield render_file(template, path, controls, **names)

    def expectations(self, placed: Placed[NftSet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """The kernel holds these rules, and where that is asked for, no others."""
        chain = ("network", "chains", f"inet {table(product)} output")
        yield expect(*chain, op="contains", expected=placed.set.rules)
        if placed.set.no_others:
            text = tree.by_path[f"/etc/{product.name}-hardening/egress.nft"].content.decode()
            lines = [line.strip() for line in text.partition("chain output {")[2].splitlines()]
            yield expect(*chain, op="subset", expected=[line for line in lines if line and line[0] not in "#}"])
