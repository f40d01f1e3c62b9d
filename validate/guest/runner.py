"""Runs probes in their order: those in the open one by one, those of one sandbox together. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any

from validate.guest import sandbox, web
from validate.guest.probing import REGISTRY, World, run_one


def run(world: World, names: Sequence[str], prelude: str, modules: Sequence[str]) -> list[dict[str, Any]]:
    """One plain record a probe, in the order of `names`; neighbours with the same sandbox share one transient unit."""
    with suppress(OSError):
        world = world._replace(host=web.own_address())
    answers: list[dict[str, Any]] = []
    for key, group in groupby(names, key=lambda name: REGISTRY[name].sandbox):
        if key:
            answers += sandbox.run_group(world, key, list(group), prelude, modules)
        else:
            answers += [run_one(world, REGISTRY[name]) for name in group]
    return answers
