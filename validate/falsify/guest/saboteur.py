"""Does all the sabotage of a group, and brings it into force once. Standard library only."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

from validate.falsify.guest import files, live
from validate.guest.dbus import BusError
from validate.guest.system import command

Trouble = dict[str, str]
KINDS = {**files.KINDS, **live.KINDS}
SHOWN = 300
JOURNAL = "systemd-journald.service"


def attempt(root: str, change: dict[str, Any], troubles: list[Trouble]) -> None:
    """One change; what goes wrong with it belongs to its control, and the others go on."""
    try:
        KINDS[change["do"]](root, change)
    except (OSError, ValueError, KeyError, live.NoteError, BusError, subprocess.SubprocessError) as error:
        troubles.append({"control": change["control"], "what": f"{change['do']}: {error}"[:SHOWN]})


def steps(wanted: Sequence[str]) -> list[list[str]]:
    """Few processes that bring everything into force, in a safe order.

    Profiles come before the units that wear them, and a journal that is written elsewhere before what it is to hold.
    """
    verbs: dict[str, list[str]] = {}
    for step in wanted:
        verb, _, what = step.partition(" ")
        verbs.setdefault(verb, []).append(what)
    found = []
    if JOURNAL in verbs.get("restart", []):
        verbs["restart"].remove(JOURNAL)
        found.append(["systemctl", "restart", JOURNAL])
    if "profile" in verbs:
        found.append(["apparmor_parser", "--replace", *verbs["profile"]])
    if "daemon-reload" in verbs:
        found.append(["systemctl", "daemon-reload"])
    found += [["systemctl", verb, *verbs[verb]] for verb in ("reload", "restart") if verbs.get(verb)]
    return found


def main(argument: dict[str, Any], root: str = "/") -> dict[str, list[Trouble]]:
    """`changes`, then `then`, then those changes that come last. Returns what went wrong, by control."""
    troubles: list[Trouble] = []
    changes = argument["changes"]
    for change in changes:
        if change["do"] not in live.LATE:
            attempt(root, change, troubles)
    for argv in steps(argument["then"]):
        try:
            command(*argv, seconds=live.SECONDS, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            troubles.append({"control": "", "what": f"{' '.join(argv)}: {error}"[:SHOWN]})
    for change in changes:
        if change["do"] in live.LATE:
            attempt(root, change, troubles)
    return {"troubles": troubles}
