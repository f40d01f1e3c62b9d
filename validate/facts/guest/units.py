"""Units: all of systemd's own properties, and the main process behind each."""

from __future__ import annotations

import json
from typing import Any

from validate.facts.guest.context import Context, CouldNotLookError
from validate.facts.guest.journal import unit_warnings
from validate.facts.guest.processes import process

ALSO = (
    "apparmor.service",
    "auditd.service",
    "dbus.service",
    "logrotate.timer",
    "ssh.service",
)
"""Asked for besides the product's own units. Each costs a tenth of a second under emulation."""


def command(context: Context) -> tuple[str, ...]:
    """The one process that answers for all units."""
    names = sorted({*context.unit_patterns(), *context.questions.get("units", ()), *ALSO})
    return ("systemctl", "show", "--all", "--no-pager", "--", *names)


def parse_show(text: str) -> list[dict[str, str]]:
    """`systemctl show` of several units: one dictionary each; a key that comes again adds a line."""
    units: list[dict[str, str]] = []
    current: dict[str, str] = {}
    key = ""
    for line in [*text.split("\n"), ""]:
        name, equals, value = line.partition("=")
        if not line:
            if current:
                units.append(current)
            current, key = {}, ""
        elif equals and name.isidentifier():
            key = name
            current[key] = f"{current[key]}\n{value}" if key in current else value
        elif key:
            current[key] += "\n" + line
    return units


def describe_unit(context: Context, properties: dict[str, str]) -> dict[str, Any]:
    """One unit. Its process is None when it has none."""
    name = properties["Id"]
    described: dict[str, Any] = {"properties": properties, "process": None}
    dropins = properties.get("DropInPaths", "").split()
    described["dropins"] = dropins
    pid = int(properties.get("MainPID") or "0")
    if pid:
        try:
            described["process"] = process(context, pid)
        except (OSError, KeyError, ValueError) as error:
            context.error(("units", name, "process"), error)
    sources = [properties.get("FragmentPath") or name, name, *dropins]
    try:
        warnings = context.once("unit-warnings", unit_warnings)
    except (OSError, ValueError, CouldNotLookError) as error:
        context.error(("units", name, "drop_errors"), error)
    else:
        described["drop_errors"] = [line for line in warnings if any(source in line for source in sources)]
    return described


def collect(context: Context) -> dict[str, Any]:
    """The section `units`."""
    found = {}
    for properties in parse_show(context.commands.output(*command(context))):
        if "Id" in properties:
            found[properties["Id"]] = describe_unit(context, properties)
    return {"units": found}


def exposure_command(context: Context) -> tuple[str, ...] | None:
    """The score that systemd gives all services; only on request, since it takes seconds under emulation."""
    return ("systemd-analyze", "security", "--no-pager", "--json=short") if context.questions.get("exposure") else None


def parse_exposure(text: str) -> dict[str, float]:
    """`systemd-analyze security --json=short`: unit to exposure, 0 (least) to 10."""
    return {row["unit"]: float(row["exposure"]) for row in json.loads(text)}


def collect_exposure(context: Context) -> dict[str, Any]:
    """The section `exposure`; nothing when it was not asked for."""
    command = exposure_command(context)
    return {"exposure": parse_exposure(context.commands.output(*command))} if command else {}
