"""The layout is the explanation: which part may import which is a table, and this test keeps it true."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("images", "harden", "validate", "results", "nix")

# Module prefix -> the prefixes of ours that it may import, besides its own. The longest prefix that fits counts.
MAY_IMPORT = {
    "results.base": (),
    "results.records": ("results.base",),
    "results": ("results",),
    "harden": ("results.base", "results.records"),
    "images": ("results.base", "results.records"),
    "validate.machine": ("results.base", "results.records"),
    "validate.audit": ("results.records", "harden.check"),
    "validate.facts": ("validate.machine", "validate.guest", "harden.product", "results.base", "results.records"),
    "validate.probes": (
        "validate.machine",
        "validate.guest",
        "validate.family",
        "harden.product",
        "results.base",
        "results.records",
    ),
    "validate.benchmarks": (
        "validate.machine",
        "validate.guest",
        "validate.family",
        "harden.product",
        "results.base",
        "results.records",
    ),
    "validate.guest": ("results.base",),  # only what packs the modules; the modules themselves are on their own
    "validate.family": ("validate.machine", "validate.guest", "harden.product", "results.base", "results.records"),
    "validate": ("validate", "images", "harden", "results"),
}

JUDGING = ("subprocess", "socket", "paramiko", "time", "pathlib", "os", "datetime", "random")


def modules() -> list[tuple[str, Path]]:
    """Every module of ours, by dotted name."""
    found = []
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found.append((".".join(part for part in parts if part != "__init__"), path))
    return found


def imports(path: Path) -> set[str]:
    """Dotted names that the file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def in_guest(path: Path) -> bool:
    return "guest" in path.parts


@pytest.mark.parametrize(("name", "path"), modules(), ids=lambda value: value if isinstance(value, str) else "")
def test_imports_go_one_way(name: str, path: Path) -> None:
    prefix = max((key for key in MAY_IMPORT if under(name, key)), key=len)
    allowed = (*MAY_IMPORT[prefix], prefix)
    ours = [imported for imported in imports(path) if imported.split(".")[0] in PARTS]
    # `from results.base import errors` shows as both `results.base` and `results.base.errors`
    wrong = [one for one in ours if not any(under(one, ok) or under(ok, one) for ok in allowed)]
    assert not wrong, f"{name} must not import {wrong}: see the table in tests/test_layout.py"


def test_subprocess_has_one_door() -> None:
    doors = [name for name, path in modules() if "subprocess" in imports(path) and not in_guest(path)]
    assert doors == ["results.base.process"]


@pytest.mark.parametrize("name", ["validate.audit.judge", "harden.check"])
def test_judging_is_pure(name: str) -> None:
    path = ROOT / (name.replace(".", "/") + ".py")
    assert not imports(path) & set(JUDGING)


def test_no_module_is_too_long() -> None:
    long = {name: lines for name, path in modules() if (lines := path.read_text(encoding="utf-8").count("\n")) > 400}
    assert not long


def test_library_code_never_prints() -> None:
    printing = [
        name
        for name, path in modules()
        if not in_guest(path)
        and any(
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        )
    ]
    assert not printing
