"""Runs a Python script in the guest without writing anything to its disk: the pure parts of `Session.python`.

A small bootstrap stands in the command line; sources and argument come through standard input as JSON, the
answer goes back through standard output as JSON. What the script prints goes to standard error, so it
cannot spoil the answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from results.base.errors import InfrastructureError

BOOTSTRAP: Final = """\
import json, os, sys
from importlib.machinery import ModuleSpec
task = json.loads(sys.stdin.buffer.read())
answer = os.fdopen(os.dup(1), "w", encoding="ascii")
os.dup2(2, 1)
class Sent:
    def find_spec(self, name, path=None, target=None):
        package = any(other.startswith(name + ".") for other in task["modules"])
        if name in task["modules"] or package:
            return ModuleSpec(name, self, origin="<sent>", is_package=package)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        name = module.__name__
        exec(compile(task["modules"].get(name, ""), "<sent " + name + ">", "exec"), module.__dict__)
sys.meta_path.insert(0, Sent())
space = {"__name__": "__main__", "ARGUMENT": task["argument"]}
try:
    exec(compile(task["source"], "<sent script>", "exec"), space)
    text = json.dumps({"result": space["RESULT"]}) if "RESULT" in space else json.dumps({"error": "set no RESULT"})
except BaseException:
    import traceback
    text = json.dumps({"error": traceback.format_exc()[-8000:]})
answer.write(text)
answer.close()
sys.stdout.flush()
os._exit(0)
"""

ARGV: Final = ("python3", "-IS", "-c", BOOTSTRAP)
"""Without `site`, and above without `importlib.abc` and `traceback`: importing those takes longer than most scripts."""
ERROR_LINES = 20


def task(source: str, argument: object, modules: Mapping[str, str]) -> bytes:
    """What the bootstrap reads."""
    return json.dumps({"source": source, "argument": argument, "modules": dict(modules)}).encode()


def answer(stdout: bytes, *, truncated: bool = False) -> Any:
    """Read the bootstrap's answer. Raises `InfrastructureError` for a script's error and for hostile output."""
    hint = "is there a python3 in the machine, and did nothing else write to the answer?"
    if truncated:
        raise InfrastructureError("script in the machine: its answer is larger than the limit", hint)
    try:
        data = json.loads(stdout, parse_constant=_no_constant)
    except RecursionError:
        raise InfrastructureError("script in the machine: its answer is nested too deep", hint) from None
    except ValueError as error:
        head = stdout[:300].decode(errors="backslashreplace")
        raise InfrastructureError(
            f"script in the machine: its answer is not JSON: {error}", hint, evidence=head
        ) from None
    if not isinstance(data, dict) or len(data) != 1 or not data.keys() <= {"result", "error"}:
        raise InfrastructureError("script in the machine: its answer is not of the agreed shape", hint)
    if "error" in data:
        lines = str(data["error"]).splitlines()
        last = lines[-1][:300] if lines else "no reason given"
        raise InfrastructureError(f"script in the machine failed: {last}", evidence="\n".join(lines[-ERROR_LINES:]))
    return data["result"]


def _no_constant(name: str) -> Any:
    """JSON has no NaN or Infinity; Python reads them all the same."""
    raise ValueError(f"{name} is no JSON value")
