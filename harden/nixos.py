"""From the checks that judge Debian to those that judge NixOS. Pure: paths of the store are handed in.

NixOS has the same settings (parity shows it), but not the same files: programs lie in the store, configuration
is linked from there, and some of Debian's kernel is not in nixpkgs'. What is judged instead stands in
`nixos.yaml` and in `nix/lib/places.json`, which the modules read as well.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from harden.check import Check
from harden.policy import TOOLS, placeholders
from harden.product import Product
from harden.tree import Tree
from results.base.errors import UsageError
from results.base.strict import Strict, load_yaml

RULES = Path(__file__).with_name("nixos.yaml")
PLACES = Path(__file__).parent.parent / "nix" / "lib" / "places.json"
OURS = r"(?:/etc/static|/nix/store)/.+"
"""Where a link leads that the system's own activation has made."""
BUS_FOLDER = "share/dbus-1/system.d"


class Linked(Strict):
    """A file of ours on Debian, and the link that stands for it on NixOS."""

    debian: str
    link: str


class Absent(Strict):
    """A fact that NixOS does not have."""

    fact: str
    reason: str = Field(min_length=20)


class Other(Absent):
    """A fact that has another value there."""

    expected: str


class Rules(Strict):
    """`harden/nixos.yaml`."""

    files: tuple[Linked, ...]
    absent: tuple[Absent, ...]
    others: tuple[Other, ...]


class Store(Strict):
    """`nixos.json` of an image: where the programs lie, and how the groups of the roles are called."""

    binaries: dict[str, str]
    tools: dict[str, str] = Field(default_factory=dict)
    groups: dict[str, str] = Field(default_factory=dict)


@cache
def load_rules() -> Rules:
    """Read `nixos.yaml`. Raises `UsageError`."""
    rules: Rules = load_yaml(RULES, Rules)
    return rules


@cache
def places() -> Mapping[str, Any]:
    """Where NixOS keeps what Debian keeps elsewhere."""
    read: Mapping[str, Any] = json.loads(PLACES.read_text(encoding="utf-8"))
    return read


@dataclass(frozen=True)
class Relocation:
    """Text of Debian's rendering as it stands on a NixOS machine."""

    product: Product
    store: Store

    def text(self, text: str) -> str:
        """With programs, tools and groups of NixOS; a watch that is the whole text moves as well."""
        watch = re.fullmatch(r"-w (\S+)( .*)", text)
        if watch and watch[1] in places()["watches"]:
            return f"-w {places()['watches'][watch[1]]}{watch[2]}"
        filled = placeholders(text, self.product)
        names = {**self.product.binaries, **_debian_tools(text), **self.store.tools, **self.store.binaries}
        names |= {f"group:{role}": name for role, name in {**self.product.groups, **self.store.groups}.items()}
        return re.sub(r"@([a-z:]+)@", lambda found: names.get(found[1], found[0]), filled)

    def value(self, value: Any) -> Any:
        """The same for text, lists and dictionaries."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (list, tuple)):
            return [self.value(one) for one in value]
        return value


def _debian_tools(text: str) -> dict[str, str]:
    """The tools that `text` names, where it names them: what the store has no path for stays as it is."""
    found = {}
    for tool in TOOLS:
        path = re.search(rf"(?:/\{{,usr/\}}bin|/usr/bin|/bin)/{tool}(?![\w./-])", text)
        if path:
            found[tool] = path[0]
    return found


def nixos_product(product: Product, store: Store) -> Product:
    """The product as it lies on a NixOS machine. Raises `ValueError` where the image lacks a program."""
    lacking = sorted(set(product.binaries) - set(store.binaries))
    if lacking:
        raise ValueError(f"binaries: no path for {', '.join(lacking)}")
    move = Relocation(product, store)
    units = {
        key: unit.model_copy(update={"helpers": tuple(move.text(path) for path in unit.helpers)})
        for key, unit in product.units.items()
    }
    binaries = {key: store.binaries[key] for key in product.binaries}
    groups = {**product.groups, **store.groups}
    return product.model_copy(update={"binaries": binaries, "groups": groups, "units": units})


def nixos_checks(checks: Iterable[Check], product: Product, store: Store, tree: Tree) -> tuple[Check, ...]:
    """The checks for NixOS: every control stays, and one of which nothing can be looked at says why.

    `checks` and `tree` are those of Debian with `product`. Raises `UsageError` for a file of ours that `nixos.yaml`
    does not know.
    """
    move = Relocation(product, store)
    by_control: dict[str, list[Check]] = {}
    reasons: dict[str, tuple[Check, str]] = {}
    for check in checks:
        kept = by_control.setdefault(check.control, [])
        why = _absent(check)
        if why:
            reasons.setdefault(check.control, (check, why))
        else:
            kept += [one for one in _adapted(check, move, tree) if one not in kept]
    return tuple(_all(by_control, reasons))


def not_applicable(checks: Iterable[Check], product: Product, tree: Tree) -> frozenset[str]:
    """Controls of which NixOS has nothing to show, wherever its programs lie."""
    moved = nixos_checks(checks, product, Store(binaries=product.binaries), tree)
    return frozenset(one.control for one in moved if one.op == "inapplicable")


def _all(by_control: Mapping[str, list[Check]], reasons: Mapping[str, tuple[Check, str]]) -> Iterator[Check]:
    for control, kept in by_control.items():
        if kept:
            yield from kept
        else:
            check, why = reasons[control]
            yield replace(check, fact=(), read="raw", op="inapplicable", expected=None, note=why)


def _absent(check: Check) -> str:
    """Why NixOS has nothing to look at; empty when it has."""
    dotted = ".".join(check.fact)
    for rule in load_rules().absent:
        if fnmatchcase(dotted, rule.fact):
            return rule.reason
    if check.fact[0] in ("sysctl", "sysctl_configured") and check.fact[1] in places()["sysctlsWithoutEffect"]:
        return "The parameter is a patch of Debian's kernel."
    words = check.expected if isinstance(check.expected, list) else []
    if check.fact == ("machine", "cmdline") and set(words) & set(places()["parametersWithoutEffect"]):
        return "The stock kernel of nixpkgs has nothing that the word would turn on."
    return ""


def _adapted(check: Check, move: Relocation, tree: Tree) -> Iterator[Check]:
    dotted = ".".join(check.fact)
    policy = move.product.paths.get("bus_policy", "")
    for other in load_rules().others:
        if dotted == other.fact:
            yield replace(check, expected=other.expected, note=other.reason)
            return
    if check.fact[0] == "files" and check.fact[1] == policy:
        if check.fact[-1] == "sha256":
            yield _bus_policy(check, policy, move, tree)
        return
    if check.fact[0] == "files" and check.fact[1] in (*tree.by_path, "/etc/ssh/sshd_config"):
        yield from _linked(check)
        return
    if check.expected == policy:
        yield replace(check, op="matches", expected=rf"/nix/store/[^/]+/{BUS_FOLDER}/{re.escape(Path(policy).name)}")
        return
    fact = tuple(move.text(part) for part in check.fact)
    yield replace(check, fact=fact, expected=move.value(check.expected))


def _linked(check: Check) -> Iterator[Check]:
    """The link that stands for a file of ours."""
    for rule in load_rules().files:
        if fnmatchcase(check.fact[1], rule.debian):
            fact = ("files", rule.link, "target")
            yield replace(check, fact=fact, read="raw", op="matches", expected=OURS)
            return
    raise UsageError(
        f"{check.control}: harden/nixos.yaml does not say what stands for {check.fact[1]} on NixOS",
        "name the link under `files` there, or say under `absent` why there is nothing to look at",
    )


def _bus_policy(check: Check, policy: str, move: Relocation, tree: Tree) -> Check:
    """The bus policy keeps its text; the bus reads it from the store."""
    content = move.text(tree.by_path[policy].content.decode()).encode()
    fact = ("dbus", "policies", f"file=/nix/store/*/{BUS_FOLDER}/{Path(policy).name}", "sha256")
    return replace(check, fact=fact, read="raw", op="equals", expected=hashlib.sha256(content).hexdigest())
