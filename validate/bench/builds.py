"""Builds of both variants in a cache of their own, alone and by turns with mkosi."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from harden.render import Tree
from images.build import BuiltImage, build_target
from images.cache import Cache
from images.target import Target
from images.workload.choice import choose_workload
from results.base.events import Events
from results.records import Variant
from validate.bench import mkosi
from validate.bench.figure import Figure, timed
from validate.plan import Plan

BOTH: tuple[Variant, ...] = ("baseline", "hardened")


def changed(tree: Tree) -> Tree:
    """The tree as one changed control would make it: one file differs by a comment."""
    first, *rest = tree.files
    return replace(
        tree,
        files=(replace(first, content=first.content + b"# changed\n"), *rest),
        digest=tree.digest[:-8] + "deadbeef",
    )


@contextmanager
def fresh(target: Target, events: Events) -> Iterator[Callable[[Tree], dict[Variant, BuiltImage]]]:
    """Builds both variants of a tree, in a cache folder that is empty at first and thrown away at last."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=beside_the_cache()) as folder:
        cache = Cache(Path(folder))

        def build(tree: Tree) -> dict[Variant, BuiltImage]:
            workload = choose_workload(("reference",))
            return dict(build_target(target, tree=tree, workload=workload, variants=BOTH, cache=cache, events=events))

        yield build


def beside_the_cache() -> Path:
    """A folder on the file system that builds use."""
    parent = Cache.default().folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    return parent


def build_figures(target: Target, plan: Plan, events: Events) -> Iterator[Figure]:
    """Cold, one control changed, nothing to do; in a fresh cache (downloads included)."""
    with fresh(target, events) as build:
        yield Figure("cold build of both variants", timed(lambda: build(plan.tree))[0], 100)
        yield Figure("one control changed", timed(lambda: build(changed(plan.tree)))[0], 15)
        yield Figure("nothing to do", timed(lambda: build(plan.tree))[0], 0.5)


def mkosi_figures(target: Target, plan: Plan, events: Events) -> Iterator[Figure]:
    """The same packages by mkosi, by turns with our own build (ABBA), as ratios of the means."""
    ours: dict[str, list[float]] = {"cold": [], "changed": []}
    theirs: dict[str, list[float]] = {"cold": [], "changed": []}
    less: set[str] = set()
    """What its image lacks here."""

    def build_ours() -> None:
        with fresh(target, events) as build:
            ours["cold"].append(timed(lambda: build(plan.tree))[0])
            ours["changed"].append(timed(lambda: build(changed(plan.tree)))[0])

    def build_theirs() -> None:
        with mkosi.peer(target, beside_the_cache(), events) as peer:
            theirs["cold"].append(timed(peer.cold)[0])
            peer.cached("first")
            theirs["changed"].append(timed(lambda: peer.cached("second"))[0])
            less.update(() if peer.bootable else (" that cannot boot",))

    for work in (build_ours, build_theirs, build_theirs, build_ours):
        work()
    for kind, limit, words in (("cold", 0.6, "cold build"), ("changed", 0.25, "one file changed")):
        yield Figure(f"mkosi, one image{''.join(less)}: {words}", statistics.fmean(theirs[kind]), None)
        ratio = statistics.fmean(ours[kind]) / statistics.fmean(theirs[kind])
        yield Figure(f"both of ours, of mkosi's time: {words}", ratio, limit, "times")
