"""Sabotage of what runs: kernel settings, audit rules, profiles, modules, units, processes. Standard library only."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from validate.falsify.guest.files import append, below
from validate.guest.dbus import Connection
from validate.guest.system import command

Change = dict[str, Any]
SECONDS = 120.0
"""For one program; an emulated machine is slow."""
SETTINGS = "/etc/sysctl.d/99-zzz-falsify.conf"
"""Sorts behind the hardening's own."""
RULES = "/run/falsify.rules"
DO_NOT_QUEUE = 4
OWNER = 1
"""Of RequestName: the answer of the one who has got it."""


class NoteError(Exception):
    """Not all of it could be done; the text says what."""


def sysctl(root: str, change: Change) -> None:
    """`sysctl`: live where the kernel lets go, and in any case for the next boot. Raises `NoteError`."""
    path = below(root, "/proc/sys/" + change["name"].translate(str.maketrans("/.", "./")))
    former = path.read_text(encoding="utf-8").split()
    taken = next((value for value in change["values"] if _takes(path, value, former)), None)
    append(root, {"path": SETTINGS, "content": f"{change['name']} = {taken or change['values'][0]}\n"})
    if taken is None:
        raise NoteError("the kernel takes no other value before the next boot")


def _takes(path: Path, value: str, former: list[str]) -> bool:
    try:
        path.write_text(value, encoding="utf-8")
    except OSError:
        return False
    return path.read_text(encoding="utf-8").split() != former


def audit(root: str, change: Change) -> None:
    """`audit`, in one process."""
    path = below(root, RULES)
    path.write_text("\n".join(change["lines"]) + "\n", encoding="utf-8")
    path.chmod(0o600)
    try:
        command("auditctl", "-R", str(path), seconds=SECONDS, check=True)
    finally:
        path.unlink()


def complain(_root: str, change: Change) -> None:
    """`complain`."""
    command("apparmor_parser", "--replace", "--Complain", change["path"], seconds=SECONDS, check=True)


def load_modules(root: str, change: Change) -> None:
    """`load_modules`. Raises `NoteError` where the kernel has none of them."""
    wanted = change["modules"]
    command("modprobe", "--quiet", "--all", "--ignore-install", *wanted, seconds=SECONDS)
    loaded = {line.split()[0] for line in below(root, "/proc/modules").read_text(encoding="utf-8").splitlines()}
    if not loaded & {name.replace("-", "_") for name in wanted}:
        raise NoteError("this kernel has none of the modules")


def stop(_root: str, change: Change) -> None:
    """`stop`."""
    command("systemctl", "stop", change["unit"], seconds=SECONDS, check=True)


def run(_root: str, change: Change) -> None:
    """`run`. Raises `OSError` when it fails and should not, `ValueError` when it was to fail and does not."""
    status, _ = command(*change["argv"], seconds=SECONDS, check=not change["fails"])
    if change["fails"] and status == 0:
        raise ValueError(f"{change['argv'][0]} was meant to be refused, and was not")


def listen(_root: str, change: Change) -> None:
    """`listen`."""
    with socket.create_server(("", change["port"])) as server:
        _stay(server.fileno())


def own_name(_root: str, change: Change) -> None:
    """`own_name`. Raises `ValueError` where the bus does not allow it."""
    command("systemctl", "stop", change["unit"], seconds=SECONDS, check=True)
    with Connection() as bus:
        (answer,) = bus.bus("RequestName", "su", change["name"], DO_NOT_QUEUE)
        if answer != OWNER:
            raise ValueError(f"{change['name']}: RequestName answers {answer}")
        _stay(bus.fileno())


def _stay(kept: int) -> None:
    """Leave a process behind that holds this descriptor and nothing else; the snapshot that is loaded next ends it."""
    if os.fork():
        return
    os.setsid()
    os.closerange(0, kept)
    os.closerange(kept + 1, 4096)
    while True:
        signal.pause()


KINDS: dict[str, Callable[[str, Change], None]] = {
    "sysctl": sysctl,
    "audit": audit,
    "complain": complain,
    "load_modules": load_modules,
    "stop": stop,
    "run": run,
    "listen": listen,
    "own_name": own_name,
}
LATE = ("chmod", "file_capability", "account", "complain", "load_modules", "stop", "run", "listen", "own_name")
"""What comes after everything else is in force: no unit is restarted with a program that became set-uid."""
