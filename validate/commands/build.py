"""`build`: the disks of the chosen targets and variants, from the cache where inputs are unchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from images import nixos
from images.build import BuiltImage, build_target
from images.cache import Cache
from images.target import Target, debian_names, load_target
from images.workload.choice import choose_workload
from results.base.errors import ExitCode, UsageError
from results.base.events import Events
from results.records import Variant
from results.terminal import Terminal
from validate.options import Options
from validate.plan import Plan, load_plan


def chosen_targets(options: Options) -> tuple[Target, ...]:
    """The targets that were asked for; `all` are those that any host can build.

    Raises `UsageError` for an unknown one, naming the known ones.
    """
    names: Sequence[str] = debian_names() if "all" in options.targets else options.targets
    return tuple(load_target(name) for name in dict.fromkeys(names))


def debian_targets(options: Options) -> tuple[Target, ...]:
    """The same for commands that go no further than Debian. Raises `UsageError`."""
    targets = chosen_targets(options)
    if any(target.distribution != "debian" for target in targets):
        raise UsageError(f"{options.command}: knows Debian's targets alone", "`validate` runs NixOS images as well")
    return targets


def require_sources(targets: Sequence[Target], options: Options, events: Events) -> None:
    """End before anything is begun where a target can be neither built here nor taken ready from `--image`."""
    if any(target.distribution == "nixos" for target in targets):
        nixos.require(options.variants, options.image, events)


def build_images(
    target: Target, plan: Plan, options: Options, events: Events, variants: Sequence[Variant]
) -> Mapping[Variant, BuiltImage]:
    """Build (or find in the cache) the disks of one target."""
    if target.distribution == "nixos":
        nixos.require(variants, {}, events)
        return nixos.build(variants, cache=Cache.default(), events=events)
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
    require_sources(targets, options, events)
    plan = load_plan(options.product)
    for target in targets:
        wanted = [variant for variant in options.variants if variant not in options.image]
        for variant, image in build_images(target, plan, options, events, wanted).items() if wanted else ():
            terminal.line(f"{target.name} {variant}: {image.disk} {image.record.sha256[:23]}…")
    return int(ExitCode.PASS)
