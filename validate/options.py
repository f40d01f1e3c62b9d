"""Every option of every command, declared once.

nox hands the words behind `--` to each session of one call, so all commands understand all options, and
take what they can use. An unknown word is a usage error (exit code 2) in each of them.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from harden.waivers import DEFAULT_WAIVERS
from results.base.errors import UsageError
from results.records import Variant

COMMANDS = (
    "build",
    "validate",
    "doctor",
    "audit",
    "attack",
    "falsify",
    "perf",
    "judges",
    "report",
    "sign",
    "verify",
    "bundle",
    "nix",
    "matrix",
    "bench",
)
DEFAULT_TARGET = "debian-trixie"
LONGEST_SOAK = 24 * 60.0


@dataclass(frozen=True)
class Options:
    """What was asked for; frozen from here on."""

    command: str
    targets: tuple[str, ...]
    targets_defaulted: bool
    variants: tuple[Variant, ...]
    accel: str
    workload: tuple[str, ...]
    jobs: int
    keep: bool
    refresh: bool
    fix: bool
    host: str
    identity: str
    facts: str
    run: str
    results: Path
    product: Path | None
    image: dict[str, Path]
    repetitions: int
    waivers: Path = DEFAULT_WAIVERS
    key: str = ""
    generate_key: str = ""
    even_failed: bool = False
    nixpkgs: str = ""
    one_by_one: bool = False
    only: tuple[str, ...] = ()
    boots: int = 0
    rounds: int = 0
    attribution: bool = False
    soak: float = 0.0
    """Minutes."""


class _Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are ours: one line, exit code 2, no usage dump."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", f"`{self.prog} --help` lists the options")


def parser() -> argparse.ArgumentParser:
    """Build the one parser."""
    made = _Parser(
        prog="python -m validate",
        description="Builds, boots, deploys, reboots, audits, probes and measures; exit codes: 0 pass, 1 fail, "
        "2 usage or configuration error, 3 no verdict because build, boot, SSH or host failed.",
    )
    made.add_argument("command", choices=COMMANDS, help="what to do")
    add = made.add_argument
    add("--target", action="append", metavar="NAME", help=f"target, repeatable; `all` for every one ({DEFAULT_TARGET})")
    add("--variant", choices=("baseline", "hardened", "both"), default="both", help="build: which disks to make (both)")
    add("--accel", choices=("auto", "kvm", "tcg"), default="auto", help="auto proves KVM by running a guest (auto)")
    add(
        "--workload",
        nargs="+",
        default=["reference"],
        metavar="WHAT",
        help="`reference`, or .deb files of the product (reference)",
    )
    add(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="validate, attack, perf, judges: machines at a time",
    )
    add("--keep", action="store_true", help="keep a failed run's overlay disk for a look")
    add("--refresh", action="store_true", help="build: look for newer packages instead of trusting the cache")
    add("--fix", action="store_true", help="doctor: run the command that mends what is missing")
    add("--host", default="", metavar="USER@HOST[:PORT]", help="audit: a machine of yours, by your own SSH keys")
    add("--identity", default="", metavar="FILE", help="audit: private key for --host")
    add("--facts", default="", metavar="FILE", help="audit: judge these stored facts again, without any machine")
    add("--run", default="", metavar="FOLDER", help="report: which run (latest); falsify, perf, judges: show it there")
    add("--one-by-one", action="store_true", help="falsify: no two controls at once, to see what else turns red")
    add("--only", action="append", default=[], metavar="GLOB", help="falsify: these controls only, repeatable")
    add("--results", type=Path, default=Path("results/runs"), metavar="FOLDER", help="where runs go (results/runs)")
    add("--product", type=Path, default=None, metavar="FILE", help="another product description")
    add("--key", default="", metavar="FILE", help="sign: private key; verify, validate, perf: public key (Ed25519)")
    add("--generate-key", default="", metavar="FILE", help="sign: make a key pair, FILE and FILE.pub")
    add("--even-failed", action="store_true", help="sign: a run whose verdict is fail, too")
    add("--nixpkgs", default="", metavar="PATH", help="nix: a nixpkgs tree to evaluate the modules in")
    add("--waivers", type=Path, default=DEFAULT_WAIVERS, metavar="FILE", help="controls that may fail, until when")
    add(
        "--image",
        action="append",
        default=[],
        metavar="VARIANT=FOLDER",
        help="validate: a ready image (a folder with image.json) instead of a build",
    )
    add("--repetitions", type=int, default=5, metavar="N", help="repetitions of each measure within a boot (5)")
    add("--boots", type=int, default=0, metavar="N", help="perf: boots of each image (3; 5 by the wall clock)")
    add("--attribution", action="store_true", help="perf: also measure without each layer, for its share of the cost")
    add("--soak", type=float, default=0.0, metavar="MINUTES", help="perf: also a steady load, and what is gained by it")
    add("--rounds", type=int, default=0, metavar="N", help="perf: rounds in each boot (3)")
    return made


def _images(words: Sequence[str]) -> dict[str, Path]:
    images = {}
    for word in words:
        variant, _, folder = word.partition("=")
        if variant not in ("baseline", "hardened") or not folder:
            raise UsageError(f"--image {word}: not VARIANT=FOLDER", "VARIANT is baseline or hardened")
        images[variant] = Path(folder)
    return images


def parse(words: Sequence[str]) -> Options:
    """Read the command line. Raises `UsageError`."""
    given = parser().parse_args(words)
    if given.boots < 0 or given.rounds < 0:
        raise UsageError("--boots and --rounds take whole numbers from 1", "leave them out for the defaults")
    if not 0 <= given.soak <= LONGEST_SOAK:
        raise UsageError(f"--soak takes minutes up to {LONGEST_SOAK:.0f}", "10 are usual; leave it out for none")
    if given.jobs < 1 or given.repetitions < 1:
        raise UsageError("--jobs and --repetitions take whole numbers from 1", "leave them out for the defaults")
    return Options(
        command=given.command,
        targets=tuple(given.target or [DEFAULT_TARGET]),
        targets_defaulted=not given.target,
        variants=("baseline", "hardened") if given.variant == "both" else (given.variant,),
        accel=given.accel,
        workload=tuple(given.workload),
        jobs=given.jobs,
        keep=given.keep,
        refresh=given.refresh,
        fix=given.fix,
        host=given.host,
        identity=given.identity,
        facts=given.facts,
        run=given.run,
        results=given.results,
        product=given.product,
        image=_images(given.image),
        repetitions=given.repetitions,
        waivers=given.waivers,
        key=given.key,
        generate_key=given.generate_key,
        even_failed=given.even_failed,
        nixpkgs=given.nixpkgs,
        one_by_one=given.one_by_one,
        only=tuple(given.only),
        boots=given.boots,
        rounds=given.rounds,
        attribution=given.attribution,
        soak=given.soak,
    )
