"""Packs our own guest modules into one script, so that nothing of them touches the machine's disk.

The same files are imported here (for what they declare) and there (to run), under the same dotted names.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path

from results.base.errors import UsageError

ROOT = "validate"

PRELUDE = '''
import sys
from importlib.machinery import ModuleSpec

class _Sent:
    """Finds the modules that came with this script, and empty packages above them."""

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, path=None, target=None):
        package = any(one.startswith(name + ".") for one in self.sources)
        if name in self.sources or package:
            return ModuleSpec(name, self, origin="sent:" + name, is_package=package)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__spec__.name
        exec(compile(self.get_source(name), "sent:" + name, "exec"), module.__dict__)

    def get_source(self, name):
        return self.sources.get(name, "")

sys.meta_path.insert(0, _Sent(%(sources)s))
'''


def source_of(module: str) -> str:
    """The text of one of our modules."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise UsageError(f"there is no module {module} to send")
    return Path(spec.origin).read_text(encoding="utf-8")


def imports(source: str) -> set[str]:
    """Names under `validate` that a module imports, submodules of packages included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == ROOT}


def _spec(name: str) -> ModuleSpec | None:
    """How `name` would be imported; None when it is no module but something inside of one."""
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None


def closure(modules: Iterable[str]) -> dict[str, str]:
    """The sources of `modules` and of everything of ours that they import, by dotted name; packages are left empty."""
    sources: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        spec = None if name in sources else _spec(name)
        if spec is None or spec.submodule_search_locations is not None:
            continue
        sources[name] = source_of(name)
        waiting += imports(sources[name])
    return dict(sorted(sources.items()))


def packed(modules: Iterable[str], main: str) -> str:
    """One script: the importer with all sources, then `main`, which may import any of `modules`."""
    return PRELUDE % {"sources": repr(closure(modules))} + "\n" + main
