"""All probes that there are, in the order in which they run: in the open, in each sandbox, then what kills services."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable

from results.base.errors import UsageError
from validate.guest.probing import REGISTRY, Spec
from validate.probes import content

LAST = ("use.daemon-reloads", "use.filter-restarts", "use.monitor-restarts", "use.daemon-restarts")
"""They disturb the services that others use."""


def modules() -> tuple[str, ...]:
    """Dotted names of the modules that hold probes."""
    return tuple(sorted(one.name for one in pkgutil.iter_modules(content.__path__, content.__name__ + ".")))


def probes(selection: Iterable[str] | None = None) -> tuple[Spec, ...]:
    """The specs of `selection` (None: all), in running order. Raises `UsageError` for ids that do not exist."""
    for module in modules():
        importlib.import_module(module)
    wanted = list(REGISTRY) if selection is None else list(dict.fromkeys(selection))
    unknown = sorted(set(wanted) - REGISTRY.keys())
    if unknown:
        raise UsageError(f"no such probe: {', '.join(unknown)}", "ids are in validate/probes/content/")
    return tuple(sorted((REGISTRY[one] for one in wanted), key=_rank))


def _rank(spec: Spec) -> tuple[int, str, int, str]:
    disturbing = LAST.index(spec.id) + 1 if spec.id in LAST else 0
    return disturbing, spec.sandbox, 0 if spec.kind == "positive" else 1, spec.id
