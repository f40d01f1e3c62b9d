"""`doctor`: what this host has and lacks, in words, with the exact command that mends it."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import images.requirements
from results.base.errors import ExitCode, InfrastructureError
from results.base.events import Events
from results.base.process import run as run_command
from results.terminal import Terminal
from validate import requirements
from validate.machine import accelerator
from validate.options import Options

MEMORY_NEEDED = 4 << 30
"""Bytes: one machine of 2 GiB, a package manager beside it, and the host itself."""

DISK_NEEDED = 6 << 30
"""Bytes in the working folder: two sparse disks, their base and its packages."""


@dataclass(frozen=True)
class Diagnosis:
    """One line of the doctor's: good or not, what, and what to do."""

    good: bool
    text: str
    advice: str = ""


def _programs() -> Iterator[Diagnosis]:
    needs = requirements.missing()
    if not needs:
        yield Diagnosis(good=True, text="all programs and firmware are there")
    for need in needs:
        yield Diagnosis(good=False, text=f"missing: {need.package}: {need.why}")
    for need in requirements.missing_for_nix():
        yield Diagnosis(good=True, text=f"wanted, the Debian targets do without it: {need.package}: {need.why}")


def _ids() -> Iterator[Diagnosis]:
    command = images.requirements.missing_ids()
    if command:
        yield Diagnosis(good=False, text="this user has no subordinate ids to build with", advice=f"run: {command}")


def _room() -> Iterator[Diagnosis]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Diagnosis(
        memory >= MEMORY_NEEDED,
        f"memory: {memory / 2**30:.1f} GiB",
        f"at least {MEMORY_NEEDED >> 30} GiB are wanted",
    )
    free = shutil.disk_usage(Path.cwd()).free
    yield Diagnosis(
        free >= DISK_NEEDED,
        f"disk: {free / 2**30:.1f} GiB free here",
        f"at least {DISK_NEEDED >> 30} GiB are wanted; DOTS_FAMILY_CACHE names another folder for the cache",
    )


def _accelerator(options: Options, events: Events) -> Iterator[Diagnosis]:
    try:
        chosen = accelerator.choose(options.accel, events=events)
    except InfrastructureError as error:
        yield Diagnosis(good=False, text=f"accelerator: {error.what}", advice=error.hint)
    else:
        yield Diagnosis(good=True, text=f"accelerator: {chosen.name} ({chosen.reason})")


def _wanted() -> tuple[requirements.Need, ...]:
    return (*requirements.missing(), *requirements.missing_for_nix())


def _mend(events: Events, terminal: Terminal) -> None:
    for argv in requirements.mending_command(_wanted()):
        terminal.line(f"$ {shlex.join(argv)}")
        run_command(argv, events=events, env={"DEBIAN_FRONTEND": "noninteractive"}, hint="is the mirror reachable?")


def run(options: Options, events: Events, terminal: Terminal) -> int:
    """Diagnose, mend with `--fix`, and diagnose again what was mended."""
    commands = requirements.mending_command(_wanted())
    if commands and options.fix:
        _mend(events, terminal)
    found = [*_programs(), *_ids(), *_room()]
    if all(one.good for one in found):
        found += _accelerator(options, events)
    for one in found:
        terminal.line(
            f"{'ok  ' if one.good else 'LACK'} {one.text}" + ("" if one.good else f" ({one.advice})" * bool(one.advice))
        )
    if commands and not options.fix:
        terminal.line("mend it with `nox -s doctor -- --fix`, which runs:")
        for argv in commands:
            terminal.line(f"    {shlex.join(argv)}")
    return int(ExitCode.PASS if all(one.good for one in found) else ExitCode.INFRASTRUCTURE)
