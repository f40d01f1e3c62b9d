"""AppArmor as the kernel holds it: loaded profiles, their modes, and what the product's attach to."""

from __future__ import annotations

import re
from typing import Any

from validate.facts.guest.context import Context, Reader
from validate.facts.guest.journal import product_profiles

SECURITY = "/sys/kernel/security/apparmor"
_LINE = re.compile(r"(.*) \((\w+)\)")


def parse_profiles(text: str) -> dict[str, str]:
    """Lines `name (mode)`; names may hold blanks and brackets."""
    matches = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match.group(1): match.group(2) for match in matches if match}


def attachments(reader: Reader, wanted: set[str]) -> dict[str, dict[str, str | None]]:
    """What each wanted profile attaches to, and the digest of what was loaded."""
    found: dict[str, dict[str, str | None]] = {}
    folder = f"{SECURITY}/policy/profiles"
    for entry in reader.some_names(folder):
        name = (reader.optional(f"{folder}/{entry}/name") or "").strip()
        if name in wanted:
            parts = {part: reader.optional(f"{folder}/{entry}/{part}") for part in ("attach", "mode", "sha256")}
            found[name] = {part: text.strip() if text else None for part, text in parts.items()}
    return found


def collect(context: Context) -> dict[str, Any]:
    """The section `apparmor`."""
    reader = context.reader
    switch = reader.optional("/sys/module/apparmor/parameters/enabled")
    if switch is None or switch.strip() != "Y":
        return {"apparmor": {"enabled": False, "profiles": {}, "attachments": {}}}
    profiles = parse_profiles(reader.text(f"{SECURITY}/profiles"))
    prefix = context.product.get("name") or "\0"
    wanted = {name for name in profiles if name.startswith(prefix)} | product_profiles(context)
    return {
        "apparmor": {
            "enabled": True,
            "profiles": dict(sorted(profiles.items())),
            "attachments": attachments(reader, wanted),
        }
    }
