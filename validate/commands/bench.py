"""`bench`: times the pipeline itself and prints the figures that the README quotes, beside what they should be.

Builds are timed in a cache folder of their own, which is thrown away; the machine's figures come from one
real boot of the hardened image. Whole-run figures are read from the newest finished run, and say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from images.build import build_target
from images.cache import Cache
from images.target import Target
from images.workload.choice import choose_workload
from results.base.errors import ExitCode
from results.base.events import Events
from results.terminal import Terminal
from validate.bench import mkosi
from validate.bench.builds import BOTH, build_figures, mkosi_figures
from validate.bench.figure import Figure
from validate.bench.machines import machine_figures
from validate.bench.recorded import peer_figures, run_figures
from validate.commands.build import debian_targets
from validate.options import Options
from validate.plan import Plan, load_plan


def target_figures(
    target: Target, plan: Plan, options: Options, events: Events, terminal: Terminal
) -> Iterator[Figure]:
    """Everything of one target."""
    terminal.line(f"{target.name}, {os.cpu_count()} cores")
    yield from build_figures(target, plan, events)
    why_not = mkosi.why_not()
    if why_not:
        terminal.line(f"not against mkosi: {why_not}")
    else:
        yield from mkosi_figures(target, plan, events)
    reference, cache = choose_workload(("reference",)), Cache.default()
    images = build_target(target, tree=plan.tree, workload=reference, variants=BOTH, cache=cache, events=events)
    yield from machine_figures(images["hardened"], plan, options, events)


def all_figures(options: Options, events: Events, terminal: Terminal) -> Iterator[Figure]:
    """Every figure, as soon as it is known."""
    plan = load_plan(options.product)
    for target in debian_targets(options):
        yield from target_figures(target, plan, options, events, terminal)
    yield from run_figures(options)
    yield from peer_figures(options)


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Print every figure; exit code 1 where one is over its limit."""
    late = False
    for figure in all_figures(options, events, terminal):
        terminal.line(figure.line)
        late |= figure.late
    return int(ExitCode.FAIL if late else ExitCode.PASS)
