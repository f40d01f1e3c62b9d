"""Runs probes in their order: those in the open one by one, those of sandboxes together. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from itertools import groupby
from typing import Any

from validate.guest import outside, sandbox, web
from validate.guest.probing import REGISTRY, World, run_one


def run(world: World, names: Sequence[str], prelude: str, modules: Sequence[str]) -> list[dict[str, Any]]:
    """One plain record a probe, in the order of `names`; neighbours with sandboxes run side by side."""
    with suppress(OSError):
        world = world._replace(host=web.own_address())
    with ExitStack() as stack:
        with suppress(OSError):  # without it, attempts that need it say that they could not be made
            world = world._replace(outside=stack.enter_context(outside.network()))
        return _run(world, names, prelude, modules)


def _run(world: World, names: Sequence[str], prelude: str, modules: Sequence[str]) -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    for confined, group in groupby(names, key=lambda name: bool(REGISTRY[name].sandbox)):
        if not confined:
            answers += [run_one(world, REGISTRY[name]) for name in group]
            continue
        order = list(group)
        by_unit: dict[str, list[str]] = {}
        for name in order:
            by_unit.setdefault(REGISTRY[name].sandbox, []).append(name)
        found = sandbox.run_all(world, by_unit, prelude, modules)
        answers += [found[name] for name in order if name in found]
    return answers
