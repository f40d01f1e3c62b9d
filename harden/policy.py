"""The controls as one plain document, for systems that are configured by data: `nix/policy.json`.

Pure: the same controls and product give the same document. Every setting names the control that it comes
from, so that a level, a waiver or a parity test can take one control out or account for it. Programs that
lie elsewhere on NixOS stand as placeholders: `@daemon@` for one of the product's, `@kill@` for a tool, and so
do the groups of the roles, which have other names there: `@group:parents@`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from harden.catalogue import Catalogue
from harden.layers import LAYERS
from harden.layers.apparmor import binary_of, profile_name
from harden.layers.base import Placed
from harden.layers.nft import sets
from harden.layers.sysctl import SysctlSet
from harden.layers.unit import UnitSet, lines_of, resets
from harden.product import Product
from harden.render import place

SCHEMA = 1
POLICY = Path(__file__).parent.parent / "nix" / "policy.json"
REFRESH = "REFRESH_GOLDEN=1 python -m pytest tests/nix/test_policy.py"
"""The command that writes `nix/policy.json` anew; the message of whoever finds it out of step names it."""

TOOLS = ("false", "id", "kill", "loginctl", "systemctl")
"""Programs of the system that settings name; on NixOS each has a path in the store."""

_TOOL = re.compile(r"(?:/\{,usr/\}bin|/usr/bin|/bin)/(" + "|".join(TOOLS) + r")(?![\w./-])")
_OWNED = re.compile(r"^\s*(?:#|<!--) ([a-z0-9]+(?:[.-][a-z0-9]+)+)(?:: .*| -->)$")

Document = dict[str, Any]


def placeholders(text: str, product: Product) -> str:
    """The text with `@name@` for each program of the product and tool of the system, `@group:role@` for role groups."""
    for key, path in sorted(product.binaries.items(), key=lambda item: -len(item[1])):
        text = re.sub(re.escape(path) + r"(?![\w./-])", f"@{key}@", text)
    for role, group in product.groups.items():
        text = re.sub(rf"(?<![\w./-]){re.escape(group)}(?![\w./-])", f"@group:{role}@", text)
    return _TOOL.sub(lambda found: f"@{found[1]}@", text)


def segments(text: str, ids: frozenset[str], closing: str) -> list[Document]:
    """A rendered file cut where a comment names a control; what belongs to none has `control: null`.

    A line that starts with `closing` at the margin ends the last control's part.
    """
    parts: list[Document] = [{"control": None, "lines": []}]
    for line in text.splitlines():
        owner = _OWNED.match(line)
        if owner and owner[1] in ids:
            parts.append({"control": owner[1], "lines": []})
        elif line.startswith(closing) and parts[-1]["control"] is not None:
            parts.append({"control": None, "lines": []})
        parts[-1]["lines"].append(line)
    return parts


def _content(layer: str, placed: Sequence[Placed[Any]], product: Product) -> Iterator[tuple[str, str, int]]:
    """Path, text and mode of every file that a layer renders."""
    for file in LAYERS[layer].files(placed, product):
        yield file.path, placeholders(file.content.decode(), product), file.mode


def _units(placed: Sequence[Placed[UnitSet]], product: Product) -> Document:
    made: Document = {}
    for key in sorted({one.set.unit for one in placed}):
        settings = []
        lines = lines_of([one for one in placed if one.set.unit == key])
        for line, after in zip(lines, [*lines[1:], None], strict=True):
            name, _, value = line.text.partition("=")
            if not value and after and after.text.partition("=")[0] == name:
                continue  # the empty assignment that `resets` stands for
            settings.append(
                {
                    "control": line.control,
                    "name": name,
                    "resets": resets(name),
                    "section": line.section,
                    "value": placeholders(value, product),
                }
            )
        made[product.units[key].name.removesuffix(".service")] = {"key": key, "settings": settings}
    return made


def _values(placed: Sequence[Placed[SysctlSet]], product: Product) -> list[Document]:
    return [
        {
            "control": one.id,
            "name": name,
            "value": placeholders(value, product) if isinstance(value, str) else value,
        }
        for one in placed
        for name, value in one.set.values.items()
    ]


def _apparmor(placed: Sequence[Placed[Any]], product: Product) -> Document:
    ids = frozenset(one.id for one in placed)
    keys = {profile_name(product, key): key for key in {one.set.profile for one in placed}}
    enforced = {one.set.profile: one.id for one in placed if not one.set.deny}
    made: Document = {}
    for path, text, _mode in _content("apparmor", placed, product):
        name = path.rpartition("/")[2]
        key = keys[name]
        made[name] = {
            "binary": binary_of(product, key),
            "enforced_by": enforced.get(key),
            "key": key,
            "segments": segments(text, ids, "}"),
        }
    return made


def _bus(placed: Sequence[Placed[Any]], product: Product) -> Document | None:
    ids = frozenset(one.id for one in placed)
    for path, text, _mode in _content("bus", placed, product):
        return {"path": path, "segments": segments(text, ids, "</busconfig>")}
    return None


def _modes(placed: Sequence[Placed[Any]], product: Product) -> list[Document]:
    ids = frozenset(one.id for one in placed)
    return [
        {"control": part["control"], "rule": line}
        for _path, text, _mode in _content("mode", placed, product)
        for part in segments(text, ids, "}")
        for line in part["lines"]
        if line and not line.startswith("#")
    ]


def _files(placed: Sequence[Placed[Any]], product: Product) -> list[Document]:
    return [
        {"control": one.id, "mode": f"{mode:04o}", "path": path, "text": text}
        for one in placed
        for path, text, mode in _content("file", [one], product)
    ]


def _nft(placed: Sequence[Placed[Any]], product: Product) -> Document | None:
    """The packet filter: its rules cut by control, the script that loads them, and the script's words."""
    ids = frozenset(one.id for one in placed)
    texts = {path: text for path, text, _mode in _content("nft", placed, product) if "/systemd/" not in path}
    if not texts:
        return None
    rules, script = (next(path for path in texts if path.endswith(end)) for end in (".nft", ".py"))
    return {
        "rules": {"path": rules, "segments": segments(texts[rules], ids, "    }")},
        "script": {"path": script, "text": texts[script]},
        "words": [placeholders(f"{name}={source}", product) for name, source in sets(product).items()],
    }


def _settings(placed: Sequence[Placed[Any]], product: Product) -> list[Document]:
    return [
        {
            "control": one.id,
            "name": name,
            "value": placeholders(value, product) if isinstance(value, str) else value,
        }
        for one in placed
        for name, value in one.set.values.items()
    ]


def _product(product: Product) -> Document:
    accounts = product.accounts.values()
    return {
        "accounts": [{"group": one.group, "home": one.home, "user": one.user} for one in accounts],
        "binaries": dict(product.binaries),
        "bus_name": product.bus.name,
        "bus_session": product.bus.session,
        "groups": dict(product.groups),
        "name": product.name,
        "title": product.title,
    }


def policy(catalogue: Catalogue, product: Product) -> Document:
    """The whole document. Raises `UsageError` where controls and product do not fit together."""
    every = place(catalogue, product)
    placed = {name: [one for one in every.get(name, []) if one.control.set] for name in LAYERS}
    return {
        "schema": SCHEMA,
        "apparmor": _apparmor(placed["apparmor"], product),
        "audit": {
            "immutable": next((one.id for one in placed["audit"] if one.set.immutable), None),
            "rules": [
                {"control": one.id, "rule": placeholders(rule, product)}
                for one in placed["audit"]
                for rule in one.set.rules
            ],
        },
        "bus": _bus(placed["bus"], product),
        "controls": {
            one.id: {"layer": one.layer, "sets": bool(one.set), "severity": str(one.severity), "title": one.title}
            for one in catalogue.controls
        },
        "files": _files(placed["file"], product),
        "journal": _settings(placed["journal"], product),
        "kernel": [{"control": one.id, "parameter": one.set.parameter} for one in placed["kernel"]],
        "modes": _modes(placed["mode"], product),
        "nft": _nft(placed["nft"], product),
        "modules": [{"control": one.id, "module": module} for one in placed["module"] for module in one.set.blocked],
        "product": _product(product),
        "sshd": _settings(placed["sshd"], product),
        "sysctl": _values(placed["sysctl"], product),
        "tuning": _values(placed["tuning"], product),
        "units": _units(placed["unit"], product),
    }


def written(document: Document) -> str:
    """The document as it is committed: keys sorted, two spaces, one line end at the end."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
