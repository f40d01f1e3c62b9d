"""Collects all facts: every section on its own, so that one that could not look does not hide the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from validate.facts.guest import (
    accounts,
    apparmor,
    audit,
    bpf,
    dbus,
    files,
    inventory,
    journal,
    kernel,
    machine,
    network,
    ssh,
    sysctl,
    units,
)
from validate.facts.guest.context import Commands, Context, Reader, describe, monotonic

SCHEMA = 1
Section = tuple[tuple[str, ...], Callable[[Context], dict[str, Any]]]
# Ordered so that what waits for a process comes after what only reads files: the process runs meanwhile.
SECTIONS: tuple[Section, ...] = (
    (("accounts", "login", "sudoers"), accounts.collect),
    (("sysctl", "sysctl_configured", "sysctl_unapplied"), sysctl.collect),
    (("kernel", "mounts", "loader"), kernel.collect),
    (("apparmor",), apparmor.collect),
    (("bpf",), bpf.collect),
    (("files",), files.collect_files),
    (("journal",), journal.collect),
    (("units",), units.collect),
    (("audit",), audit.collect),
    (("dbus",), dbus.collect),
    (("network",), network.collect),
    (("sshd",), ssh.collect),
    (("setuid", "file_caps", "world_writable"), inventory.collect),
    (("machine",), machine.collect),
    (("exposure",), units.collect_exposure),
)


def first_commands(context: Context) -> list[tuple[str, ...]]:
    """Everything that will be asked of other programs, the slowest first."""
    asked: list[tuple[str, ...]] = [journal.COMMAND, units.command(context), ssh.COMMAND, audit.STATUS, audit.RULES]
    asked += [network.RULES, machine.STATE]
    exposure = units.exposure_command(context)
    return [*asked, exposure] if exposure else asked


def collect(context: Context, sections: tuple[Section, ...] = SECTIONS) -> dict[str, Any]:
    """All facts. A section that fails is named in `errors`, whatever the reason: this is the guard."""
    started = monotonic()
    facts: dict[str, Any] = {"schema": SCHEMA}
    seconds: dict[str, float] = {}
    for command in first_commands(context):
        context.commands.start(*command)
    inventory.begin(context)
    for names, work in sections:
        begun = monotonic()
        try:
            facts.update(work(context))
        except Exception as error:  # noqa: BLE001 - a broken collector must be told of, not die
            for name in names:
                context.error((name,), describe(error))
        seconds[names[0]] = round(monotonic() - begun, 4)
    context.commands.close()
    return {**facts, "errors": context.errors, "seconds": round(monotonic() - started, 4), "section_seconds": seconds}


def main(questions: dict[str, Any]) -> dict[str, Any]:
    """Collect the facts of the machine that this runs on."""
    return collect(Context(Reader(), Commands(), questions))
