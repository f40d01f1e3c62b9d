"""The SSH server's settings as it would use them now."""

from __future__ import annotations

from typing import Any

from validate.facts.guest.context import Context

COMMAND = ("sshd", "-T")


def parse_settings(text: str) -> dict[str, str]:
    """`sshd -T`: keys in lower case; a key that comes again adds a line."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.strip().partition(" ")
        if key:
            key = key.lower()
            found[key] = f"{found[key]}\n{value}" if key in found else value
    return found


def collect(context: Context) -> dict[str, Any]:
    """The section `sshd`."""
    return {"sshd": parse_settings(context.commands.output(*COMMAND))}
