"""What the journal and the audit log say of this boot: denials, and complaints about unit files."""

from __future__ import annotations

import json
import re
from typing import Any

from validate.facts.guest.context import Context, text_of

ENTRIES = 20_000
"""Entries that are looked at, the newest; whatever fills the journal cannot make the audit wait for long."""
# Unit files that systemd complains of: by itself, and to the kernel's log before there is a journal. Anybody can call
# himself systemd in the journal, but nobody else is process 1, and only root writes the kernel's log. AppArmor's
# denials come as audit records or kernel lines.
COMMAND = (
    *("journalctl", "--boot", "--no-pager", "--output=json", "--all", f"--lines={ENTRIES}"),
    "--output-fields=MESSAGE,UNIT,CONFIG_FILE,CONFIG_LINE,SYSLOG_IDENTIFIER,_TRANSPORT",
    *("_PID=1", "PRIORITY=4", "PRIORITY=3", "+"),
    *("_TRANSPORT=kernel", "SYSLOG_IDENTIFIER=systemd", "PRIORITY=4", "PRIORITY=3", "+"),
    *("_TRANSPORT=audit", "_AUDIT_TYPE_NAME=AVC", "+"),
    *("_TRANSPORT=kernel", "PRIORITY=5"),
)
AUDIT_LOG = "/var/log/audit/audit.log"
AUDIT_TAIL = 4 << 20
KEPT = 200
"""Lines kept of each kind; the totals tell of more."""
LONGEST = 1000
"""Characters kept of a line."""
_EVENT = re.compile(r"audit\((\d+)\.(\d+):(\d+)\)")
_PROFILE = re.compile(r'profile="([^"]*)"')
_UNIT_FILE = re.compile(
    r"^(/\S+\.(?:service|socket|timer|target|slice|mount|conf)):(\d+): |"
    r"^\S+\.(?:service|socket|timer|target|slice|mount): "
    r".*(?:ignor|[Ff]ailed to parse|not found|bad unit|unsafe|Invalid)"
)


def parse_entries(text: str) -> list[dict[str, str]]:
    """`journalctl --output=json`: one object a line. A field of raw bytes comes as a list of numbers."""
    entries = []
    for line in text.splitlines():
        if line:
            raw = json.loads(line)
            entries.append({key: _field(value) for key, value in raw.items() if value is not None})
    return entries


def _field(value: Any) -> str:
    if isinstance(value, list):
        if all(isinstance(item, int) for item in value):
            return text_of(bytes(item & 0xFF for item in value))
        return "\n".join(str(item) for item in value)
    return str(value)


def _entries(context: Context) -> list[dict[str, str]]:
    return parse_entries(context.commands.output(*COMMAND, accept=(0, 1)))


def warning_of(entry: dict[str, str]) -> str | None:
    """The entry as one line when it is systemd's complaint about a unit's settings; else None."""
    message = " ".join(entry.get("MESSAGE", "").split())
    if entry.get("SYSLOG_IDENTIFIER") != "systemd":
        return None
    if "CONFIG_FILE" in entry and not message.startswith(entry["CONFIG_FILE"]):
        message = f"{entry['CONFIG_FILE']}:{entry.get('CONFIG_LINE', '?')}: {message}"
    return message if "CONFIG_FILE" in entry or _UNIT_FILE.search(message) else None


def unit_warnings(context: Context) -> list[str]:
    """Complaints about unit files this boot, each once, in order."""
    lines = [warning_of(entry) for entry in context.once("journal", _entries)]
    return list(dict.fromkeys(line for line in lines if line))


def profile_of(line: str) -> str | None:
    """Profile that an AppArmor denial names; None for every other line."""
    match = _PROFILE.search(line)
    return match.group(1) if match and 'apparmor="DENIED"' in line else None


def audit_log_lines(text: str, since: float) -> list[str]:
    """AppArmor's denials in the audit log, from the boot at Unix time `since` on."""
    kept = []
    for line in text.splitlines():
        event = _EVENT.search(line) if 'apparmor="DENIED"' in line else None
        if event and int(event.group(1)) >= int(since) - 1:
            kept.append(line)
    return kept


def _audit_log(context: Context) -> list[str]:
    path = context.reader.real(AUDIT_LOG)
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as everywhere in the guest
            size = file.seek(0, 2)
            file.seek(max(0, size - AUDIT_TAIL))
            text = text_of(file.read())
    except FileNotFoundError:
        return []
    return audit_log_lines(text, boot_time(context.reader.text("/proc/stat")))


def boot_time(stat: str) -> float:
    """Unix time of the boot, from `/proc/stat`."""
    return next((float(line.split()[1]) for line in stat.splitlines() if line.startswith("btime ")), 0.0)


def denials(context: Context) -> list[str]:
    """AppArmor's denials this boot, from both logs, each audit event once."""
    lines = [entry.get("MESSAGE", "") for entry in context.once("journal", _entries)] + _audit_log(context)
    unique: dict[str, str] = {}
    for line in lines:
        if profile_of(line) is not None:
            event = _EVENT.search(line)
            unique.setdefault(event.group(0) if event else line, line)
    return list(unique.values())


def product_profiles(context: Context) -> set[str]:
    """Names of the product's profiles."""
    profiles = {unit.get("apparmor") for unit in context.product.get("units", {}).values()}
    return {profile for profile in profiles if profile}


def collect(context: Context) -> dict[str, Any]:
    """The section `journal`."""
    machine = (context.reader.optional("/etc/machine-id") or "").strip()
    ours = product_profiles(context)
    prefix = f"{context.product.get('name') or chr(0)}"
    every = denials(context)
    mine = [line for line in every if (name := profile_of(line)) and (name in ours or name.startswith(prefix))]
    warnings = context.once("unit-warnings", unit_warnings)
    return {
        "journal": {
            "persistent": bool(machine) and context.reader.exists(f"/var/log/journal/{machine}"),
            "denials": [line[:LONGEST] for line in mine[:KEPT]],
            "denials_total": len(mine),
            "denials_elsewhere": len(every) - len(mine),
            "unit_warnings": [line[:LONGEST] for line in warnings[:KEPT]],
            "unit_warnings_total": len(warnings),
        }
    }
