#!/usr/bin/python3 -I
# /etc/dots-family-hardening/egress.py
# Written by the dots-family hardening; changes here are lost.
"""Loads the packet filter's rules with the accounts that they are about, all in one transaction.

egress.py RULES SET=group:NAME | SET=user:NAME …   the table of RULES, its sets filled from this machine's accounts
egress.py RULES --remove                           the table is gone

nftables compares the user that made a socket, and no group that is not its primary one. So the members of a group
are looked up here, at boot and whenever /etc/group or /etc/passwd changes; ranges of subordinate user ids (see
subuid(5)) count as their owner. Standard library only; runs as root.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

WATCHED = ("/etc/group", "/etc/passwd", "/etc/subuid")
TURNS = 5
"""Times that the accounts are looked up again because they changed meanwhile."""

Range = tuple[int, int]
"""First and last user id."""


def subordinate(text: str, names: Iterable[str]) -> list[Range]:
    """Ranges that /etc/subuid (`text`) gives to these users, who may stand there by name or by number."""
    wanted, found = set(names), []
    for line in text.splitlines():
        words = line.split(":")
        if len(words) == 3 and words[0] in wanted and words[1].isdigit() and words[2].isdigit() and int(words[2]):
            found.append((int(words[1]), int(words[1]) + int(words[2]) - 1))
    return found


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same ids in as few ranges as will do: nftables refuses two that overlap."""
    result: list[Range] = []
    for first, last in sorted(ranges):
        if result and first <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        else:
            result.append((first, last))
    return result


def members(group: str) -> list[pwd.struct_passwd]:
    """Every account that is in the group, as its primary one or otherwise; root never is. Raises `KeyError`."""
    entry = grp.getgrnam(group)
    return [one for one in pwd.getpwall() if one.pw_uid and (one.pw_name in entry.gr_mem or one.pw_gid == entry.gr_gid)]


def accounts(source: str) -> list[Range]:
    """The ids behind `group:NAME` or `user:NAME`. Raises `KeyError` for one that does not exist."""
    kind, _, name = source.partition(":")
    found = members(name) if kind == "group" else [pwd.getpwnam(name)]
    try:
        text = Path("/etc/subuid").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
    names = [word for one in found for word in (one.pw_name, str(one.pw_uid))]
    return merged([*((one.pw_uid, one.pw_uid) for one in found), *subordinate(text, names)])


def element(ids: Range) -> str:
    """A range as nftables writes it."""
    return str(ids[0]) if ids[0] == ids[1] else f"{ids[0]}-{ids[1]}"


def table_of(rules: str) -> str:
    """`inet dots_family`: the one table of the rules. Raises `ValueError`."""
    found = re.findall(r"^table (inet [a-z0-9_]+) \{$", rules, re.MULTILINE)
    if len(found) != 1:
        raise ValueError("the rules are not of exactly one table")
    return str(found[0])


def script(rules: str, sets: dict[str, list[Range]]) -> str:
    """What nft is told: the old table goes, the new one comes with its sets filled; all of it, or nothing."""
    table = table_of(rules)
    lines = [f"table {table}", f"delete table {table}", rules]
    lines += [
        f"add element {table} {name} {{ {', '.join(map(element, ranges))} }}" for name, ranges in sets.items() if ranges
    ]
    return "\n".join(lines) + "\n"


def nft(text: str) -> None:
    """Let nft obey. Raises `CalledProcessError`; its words are on our standard error."""
    subprocess.run(["nft", "--file", "-"], input=text.encode(), check=True)  # noqa: S607 - NixOS has it elsewhere


def stamps() -> list[tuple[int, int] | None]:
    """What tells that an account has changed."""
    found: list[tuple[int, int] | None] = []
    for path in WATCHED:
        try:
            info = os.stat(path)  # noqa: PTH116 - three numbers, at every boot
        except FileNotFoundError:
            found.append(None)
        else:
            found.append((info.st_ino, info.st_mtime_ns))
    return found


def load(rules: str, sources: dict[str, str]) -> None:
    """Load the rules for the accounts that there are now, and again when they have changed meanwhile."""
    for _ in range(TURNS):
        before = stamps()
        nft(script(rules, {name: accounts(source) for name, source in sources.items()}))
        if stamps() == before:
            return


def main(words: Sequence[str]) -> int:
    """Exit status 0: in force; 1: not, for a reason on standard error; 2: wrong words."""
    shaped = [re.fullmatch(r"([a-z][a-z0-9_]*)=((?:group|user):[A-Za-z0-9_.-]+)", word) for word in words[1:]]
    if len(words) < 2 or (words[1:] != ["--remove"] and not all(shaped)):
        sys.stderr.write(str(__doc__))
        return 2
    try:
        rules = Path(words[0]).read_text(encoding="utf-8")
        if words[1] == "--remove":
            table = table_of(rules)
            nft(f"table {table}\ndelete table {table}\n")
        else:
            load(rules, {one[1]: one[2] for one in shaped if one})
    except (OSError, KeyError, ValueError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"the packet filter is not in force as it should be: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
