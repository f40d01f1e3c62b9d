"""Packet filter: which accounts may send packets where. A table of our own, loaded with the accounts filled in.

Each set of accounts has a chain of its own, so that a packet of anybody else pays for two look-ups and no more: with
all rules in one chain a connection on loopback cost a third more than without them (`perf`, tcp.connect).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from harden.control import Expectation
from harden.layers.base import Layer, Placed, expect, render_file
from harden.product import Product
from harden.tree import Tree, TreeFile
from results.base.errors import UsageError
from results.base.strict import Strict

SOURCE = Path(__file__).parent.parent / "guest" / "egress.py"
UNITS = "/etc/systemd/system"


_ABOUT = re.compile(r"meta skuid @([a-z]+) (\S.*)")


class NftSet(Strict):
    """`{rules: [...]}`: rules about packets that are sent: `meta skuid @SET`, then what `nft list` prints of the rest.

    Sets are @children and @filter; all rules of one control are about the same.
    """

    rules: tuple[Annotated[str, Field(pattern=_ABOUT.pattern)], ...] = Field(min_length=1)
    no_others: bool = False
    """Also see to it that nobody has added a rule: one that accepts would hide those behind it."""

    @model_validator(mode="after")
    def _about_one_set(self) -> NftSet:
        if len({_about(rule)[0] for rule in self.rules}) > 1:
            raise ValueError("rules: all of one control's have to be about the same set")
        return self

    @property
    def chain(self) -> str:
        """The set that the rules are about, and the chain that they stand in."""
        return _about(self.rules[0])[0]

    @property
    def within(self) -> tuple[str, ...]:
        """The rules as they stand in that chain."""
        return tuple(_about(rule)[1] for rule in self.rules)


def _about(rule: str) -> tuple[str, str]:
    found = _ABOUT.fullmatch(rule)
    return (found[1], found[2]) if found else ("", rule)


def sets(product: Product) -> dict[str, str]:
    """Set of the table to where its accounts come from, as egress.py takes it."""
    return {"children": f"group:{product.groups['children']}", "filter": f"user:{product.accounts['filter'].user}"}


def table(product: Product) -> str:
    """The table's name: nftables takes no hyphen."""
    return product.name.replace("-", "_")


def lines_of(text: str, chain: str) -> list[str]:
    """What stands in a chain of the rules, as `nft list` prints it."""
    body = text.partition(f"chain {chain} {{")[2].partition("\n    }")[0]
    return [line for line in (line.strip() for line in body.splitlines()) if line and line[0] != "#"]


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
        unknown = sorted({one.set.chain for one in controls} - sets(product).keys())
        if unknown:
            raise UsageError(f"nft: no set is called {', '.join(unknown)}", f"sets are: {', '.join(sets(product))}")
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
        """The kernel holds these rules and comes to them, and where that is asked for, it holds no others."""
        name = placed.set.chain
        chain, output = (("network", "chains", f"inet {table(product)} {one}") for one in (name, "output"))
        yield expect(*chain, op="contains", expected=placed.set.within)
        yield expect(*output, op="contains", expected=[f"meta skuid @{name} jump {name}"])
        if placed.set.no_others:
            text = tree.by_path[f"/etc/{product.name}-hardening/egress.nft"].content.decode()
            yield expect(*chain, op="subset", expected=lines_of(text, name))
            yield expect(*output, op="subset", expected=lines_of(text, "output"))
