"""The kernel's audit: its state and its rules, from the kernel, not from files."""

from __future__ import annotations

import re
import shlex
from typing import Any

from validate.facts.guest.context import Context

STATUS = ("auditctl", "-s")
RULES = ("auditctl", "-l")


def parse_status(text: str) -> dict[str, Any]:
    """`auditctl -s`: numbers as numbers, the rest as it stands."""
    found: dict[str, Any] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(" ")
        if name:
            found[name] = int(value) if re.fullmatch(r"-?\d+", value) else value
    return found


def parse_rules(text: str) -> list[str]:
    """`auditctl -l`, which says `No rules` (and exits 0) when there are none."""
    return [line.strip() for line in text.splitlines() if line.strip().startswith("-")]


def keys_of(rules: list[str]) -> list[str]:
    """Keys that the rules carry, as `-k KEY` or `-F key=KEY`; sorted, each once."""
    keys: set[str] = set()
    for rule in rules:
        words = _words(rule)
        for word, following in zip(words, [*words[1:], ""], strict=True):
            if word == "-k" and following:
                keys.add(following)
            elif word.startswith("key=") and len(word) > 4:
                keys.add(word[4:])
    return sorted(keys)


def _words(rule: str) -> list[str]:
    try:
        return shlex.split(rule)
    except ValueError:  # a quote that never closes is part of a name
        return rule.split()


def collect(context: Context) -> dict[str, Any]:
    """The section `audit`."""
    status = parse_status(context.commands.output(*STATUS))
    rules = parse_rules(context.commands.output(*RULES))
    return {"audit": {**status, "rules": rules, "keys": keys_of(rules)}}
