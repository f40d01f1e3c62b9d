"""`build`: the disks of the chosen targets and variants, from the cache where inputs are unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from images.build import BuiltImage, build_target
from images.cache import Cache
from images.target import Target, load_target, target_names
from images.workload.choice import choose_workload
from results.base.errors import ExitCode
from results.base.events import Events
from results.records import Variant
from results.terminal import Terminal
from validate.options import Options
from validate.plan import Plan, load_plan


def chosen_targets(options: Options) -> tuple[Target, ...]:
    """The targets that were asked for. Raises `UsageError` for an unknown one, naming the known ones."""
    names: Sequence[str] = target_names() if "all" in options.targets else options.targets
    return tuple(load_target(name) for name in dict.fromkeys(names))


def build_images(
    target: Target, plan: Plan, options: Options, events: Events, variants: Sequence[Variant]
) -> Mapping[Variant, BuiltImage]:
    """Build (or find in the cache) the disks of one target."""
    workload = choose_workload(options.workload)
    return build_target(
        target,
        tree=plan.tree,
        workload=workload,
        variants=variants,
        cache=Cache.default(),
        events=events,
        refresh=options.refresh,
    )


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Build everything that was asked for and say where it lies."""
    targets = chosen_targets(options)
    plan = load_plan(options.product)
    for target in targets:
        for variant, image in build_images(target, plan, options, events, options.variants).items():
            terminal.line(f"{target.name} {variant}: {image.disk} {image.record.sha256[:23]}…")
    return int(ExitCode.PASS)
