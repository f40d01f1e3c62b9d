"""`nix`: checks the Nix side as deep as this host allows, and says how deep it went and why it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harden.catalogue import Catalogue
from harden.nixos import not_applicable
from harden.parity import debian, load_differences, nixos, unexplained
from harden.policy import POLICY, REFRESH, policy, written
from harden.product import Product
from harden.render import render
from images.nixos import EXPERIMENTAL, lacking
from results.base.errors import ExitCode, InfrastructureError, UsageError
from results.base.events import Events
from results.base.process import run as run_command
from results.base.process import which
from results.terminal import Terminal
from validate.evaluator import EVALUATOR, EvaluationError, evaluate, evidence_of, private_store, require, too_old
from validate.nix_lint import complaints
from validate.options import Options
from validate.plan import Plan, load_plan

NIX = POLICY.parent
NIXPKGS = "DOTS_FAMILY_NIXPKGS"
"""Environment variable that names a nixpkgs tree where `--nixpkgs` does not."""
LINTERS: Mapping[str, tuple[str, ...]] = {
    "nixfmt": ("nixfmt", "--check"),
    "deadnix": ("deadnix", "--fail"),
    "statix": ("statix", "check"),
}
"""Looked with where the host has them; statix takes one path, so each gets the files one by one."""

FLAKE = f"path:{NIX.parent}?dir=nix"
MISSING = f"give a nixpkgs tree by `--nixpkgs PATH` or {NIXPKGS}"
BOOT = "`nox -s build validate -- --target nixos` boots what level e makes"


@dataclass(frozen=True)
class Level:
    """What one level found: failures as lines, and what could not be looked at."""

    name: str
    title: str
    failures: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


def sources() -> tuple[Path, ...]:
    """Every Nix file of ours."""
    return tuple(sorted(NIX.rglob("*.nix")))


def look_at_files(environment: Mapping[str, str], events: Events) -> Level:
    """Level a: every file parses, and binds no name in vain; formatter and linters where they are at hand."""
    failures: list[str] = []
    unseen: list[str] = []
    parse = [EVALUATOR, "--parse"]
    fine = run_command([*parse, *map(str, sources())], events=events, env=environment, check=False).status == 0
    for path in () if fine else sources():  # one by one, to name each that does not
        done = run_command([*parse, str(path)], events=events, env=environment, check=False)
        failures += [f"nix/{path.relative_to(NIX)}: does not parse: {evidence_of(done.tail)}"] if done.status else []
    for path in sources():
        failures += [f"nix/{path.relative_to(NIX)}: {line}" for line in complaints(path.read_text(encoding="utf-8"))]
    for name, argv in LINTERS.items():
        if which(name) is None:
            unseen.append(f"{name} is not on this host")
            continue
        for path in sources():
            done = run_command([*argv, str(path)], events=events, check=False)
            failures += [f"nix/{path.relative_to(NIX)}: {name}: {done.tail}"] if done.status else []
    return Level(
        "a", f"{len(sources())} files parse; no unused name, no stray white space", tuple(failures), tuple(unseen)
    )


def look_at_policy(
    catalogue: Catalogue,
    product: Product,
    environment: Mapping[str, str],
    events: Events,
    without: frozenset[str] = frozenset(),
) -> Level:
    """Level b: the policy is in step, evaluates, and says what Debian's rendering says.

    `without` are the controls that NixOS has nothing of, for the count alone.
    """
    if POLICY.read_text(encoding="utf-8") != written(policy(catalogue, product)):
        return Level("b", "parity", (f"nix/policy.json is out of step with harden/controls: run `{REFRESH}`",))
    result = evaluate(f"import {NIX}/lib/policy.nix {{ }}", environment, events)
    left, right = debian(render(catalogue, product)), nixos(result)
    differences = load_differences()
    setting = {one.id for one in catalogue.controls if one.set}
    lost = setting - set(result["controls"]["active"])
    failures = [*unexplained(left, right, differences), *(f"{one}: not in force on NixOS" for one in sorted(lost))]
    title = (
        f"{len(left)} settings compared, {len(differences)} differences on purpose; "
        f"{len(setting - without)} of {len(setting)} controls in force, the others are not applicable"
    )
    return Level("b", title, tuple(failures))


CONFIGURATIONS: Mapping[str, tuple[str, str]] = {
    "on the reference workload": ("snippet", "true"),
    "on the vendor's module": ("on-vendor", "false"),
}
"""Where the guide's snippet is evaluated: the file in nix/checks, and whether our reference workload is there."""


def depth_of(nixpkgs: Path) -> tuple[str, str, tuple[str, ...]]:
    """Which check in nix/checks a tree allows, what that shows, and what it does not. Raises `UsageError`."""
    if not (nixpkgs / "lib" / "default.nix").is_file():
        raise UsageError(f"--nixpkgs {nixpkgs}: no lib/default.nix there", "give a checkout of nixpkgs")
    if not (nixpkgs / "nixos" / "modules").is_dir():
        return (
            "standins",
            "in its module system, with stand-ins for options",
            ("the tree holds lib alone: option names and types of nixpkgs were not looked at",),
        )
    return "declared", "with nixpkgs' own option declarations, and stand-ins for packages", ()


def expression(check: str, nixpkgs: Path, configuration: str, reference: str = "true") -> str:
    """The Nix expression that evaluates a configuration by one of nix/checks."""
    tree = json.dumps(str(nixpkgs.resolve()))
    words = f"nixpkgs = {tree}; configuration = {configuration}; reference = {reference};"
    return f"import {NIX}/checks/{check}.nix {{ {words} }}"


def look_at_modules(nixpkgs: Path, environment: Mapping[str, str], events: Events) -> Level:
    """Level c: the guide's snippet in the module system of a nixpkgs tree, as much of it as the tree holds."""
    check, how, unseen = depth_of(nixpkgs)
    old = too_old(environment, events)
    if old:
        raise InfrastructureError(f"--nixpkgs: {old}", "put a newer Nix first on PATH")
    failures: list[str] = []
    for where, (file, reference) in CONFIGURATIONS.items():
        result = evaluate(expression(check, nixpkgs, f"import {NIX}/checks/{file}.nix", reference), environment, events)
        failures += [f"{where}: {message}" for message in result["failed"]]
        failures += [f"{where}: {path}: not in force as the policy wants it" for path in result["lost"]]
    if is_whole(str(nixpkgs)):
        failures += look_at_system(nixpkgs, environment, events)
        how += "; and in nixpkgs' own system"
    return Level("c", f"the modules evaluate {' and '.join(CONFIGURATIONS)}, {how}", tuple(failures), unseen)


def look_at_system(nixpkgs: Path, environment: Mapping[str, str], events: Events) -> Iterator[str]:
    """The same in a whole nixpkgs, as `nixos-rebuild` evaluates it; yields failed assertions."""
    tree = json.dumps(str(nixpkgs.resolve()))
    yield from evaluate(f"(import {NIX}/checks/options.nix {{ nixpkgs = {tree}; }}).failed", environment, events)


def look_at_derivation(nixpkgs: str, events: Events) -> Level:
    """Level d: the hardened system as the derivation that `nixos-rebuild` would build."""
    toplevel = f"{FLAKE}#nixosConfigurations.hardened.config.system.build.toplevel.drvPath"
    other = ["--override-input", "nixpkgs", f"path:{Path(nixpkgs).resolve()}"] if is_whole(nixpkgs) else []
    done = run_command(["nix", *EXPERIMENTAL, "eval", "--raw", *other, toplevel], events=events, check=False)
    return Level("d", "the system's derivation", (evidence_of(done.tail),) if done.status else ())


def look_at_build(events: Events) -> Level:
    """Level e: both images are built; the store keeps them."""
    images = [f"{FLAKE}#image-{variant}" for variant in ("baseline", "hardened")]
    argv = ["nix", *EXPERIMENTAL, "build", "--no-link", *images]
    done = run_command(argv, events=events, check=False, timeout=4 * 3600)
    return Level("e", "both images are built", (evidence_of(done.tail),) if done.status else ())


def is_whole(nixpkgs: str) -> bool:
    """Whether a tree has packages, too."""
    return bool(nixpkgs) and (Path(nixpkgs) / "pkgs" / "top-level" / "default.nix").is_file()


def judged(name: str, look: Callable[[], Level]) -> Level:
    """What `look` finds; an evaluation that fails is a finding, too."""
    try:
        return look()
    except EvaluationError as error:
        return Level(name, error.what, (error.hint,))


def show(level: Level, terminal: Terminal) -> bool:
    """Tell one level; whether it passed."""
    terminal.line(f"{'FAIL' if level.failures else 'ok  '} level {level.name}: {level.title}")
    for line in level.failures:
        terminal.line(f"       {line}")
    for line in level.unseen:
        terminal.line(f"     not looked: {line}")
    return not level.failures


def stop(level: str, why: str, terminal: Terminal) -> None:
    """Why it went no further."""
    terminal.line(f"--   not looked: level {level}, {why}")


def look(plan: Plan, nixpkgs: str, events: Events, environment: Mapping[str, str]) -> Iterator[Level]:
    """Levels a to c, c where there is a tree for it; none behind one that fails."""
    yield look_at_files(environment, events)
    without = not_applicable(plan.checks, plan.product, plan.tree)
    yield judged("b", lambda: look_at_policy(plan.catalogue, plan.product, environment, events, without))
    if nixpkgs:
        yield judged("c", lambda: look_at_modules(Path(nixpkgs), environment, events))


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Go as deep as the host allows; a level that fails ends it."""
    require()
    plan = load_plan(options.product)
    nixpkgs = options.nixpkgs or os.environ.get(NIXPKGS, "")
    with private_store() as environment:
        for level in look(plan, nixpkgs, events, environment):
            if not show(level, terminal):
                return int(ExitCode.FAIL)
    lacks = MISSING if not nixpkgs else lacking(events)
    if not nixpkgs:
        stop("c", f"the modules in nixpkgs' module system: {MISSING}", terminal)
    if lacks:
        stop("d, e", f"the system's derivation and its build: {lacks}", terminal)
    elif not (show(look_at_derivation(nixpkgs, events), terminal) and show(look_at_build(events), terminal)):
        return int(ExitCode.FAIL)
    stop("f", f"the boot: {BOOT}", terminal)
    return int(ExitCode.PASS)
