#!/usr/bin/python3 -I
"""Put the hardening that lies beside this script into force on this machine, or take it back.

harden-production-security.sh [--dry-run] [apply]   check, validate, write, activate: all of it or nothing
harden-production-security.sh status                what is in place; exit status 1 if anything is missing
harden-production-security.sh revert                the former state again

Exit status: 0 done; 1 failed, and the former state is restored; 2 wrong words, or something is missing that it
needs, and nothing has been touched. Everything is told in the journal under dots-family-security.
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

from harden.guest.activate import activate, profiles_enforced, running, write_all  # noqa: E402 - the bundle's own modules
from harden.guest.before import prerequisites, validate  # noqa: E402
from harden.guest.former import COMPLETE, back_up, restore  # noqa: E402
from harden.guest.manifest import Manifest, load  # noqa: E402
from harden.guest.system import RefusedError, complain, open_log, say  # noqa: E402

COMMANDS = ("apply", "status", "revert")
LOCK = "/run/dots-family-hardening.lock"


def rehearse(manifest: Manifest) -> int:
    """Tell what `apply` would do."""
    for entry in manifest.hardening:
        say(f"{'in place' if entry.in_place() else 'would write'}: {entry.path}")
    say(f"would boot with: {' '.join(manifest.kernel_parameters)}")
    return 0


def apply(manifest: Manifest) -> int:
    """Everything, or nothing."""
    try:
        back_up(manifest)
    except OSError as error:
        raise RefusedError(f"the former state cannot be kept: {error}") from error
    instances = running(manifest)
    try:
        changed = write_all(manifest)
        if changed or not profiles_enforced(manifest):
            activate(manifest, instances)
    except BaseException as error:  # noqa: BLE001 - Ctrl-C halfway is to be undone too
        complain(f"failed: {error!r}; the former state is being restored")
        restore(manifest, instances)
        complain("restored: this machine is as it was before")
        return 1
    say(f"hardened: {changed} of {len(manifest.files)} files written; reboot to bring all of it into force")
    return 0


def status(manifest: Manifest) -> int:
    """Tell what is in place and what is not."""
    missing = [entry.path for entry in manifest.files if not entry.in_place()]
    for path in missing:
        say(f"not as it should be: {path}")
    enforced = profiles_enforced(manifest)
    if not enforced:
        say("not every AppArmor profile is enforced")
    words = Path("/proc/cmdline").read_text(encoding="ascii").split()
    waiting = [word for word in manifest.kernel_parameters if word not in words]
    if waiting:
        say(f"waits for a reboot: {' '.join(waiting)}")
    say(f"{len(manifest.files) - len(missing)} of {len(manifest.files)} files are in place")
    return int(bool(missing or waiting or not enforced))


def revert(manifest: Manifest) -> int:
    """The former state again."""
    if not COMPLETE.exists():
        raise RefusedError("nothing has been applied here")
    restore(manifest, running(manifest))
    say("reverted; reboot to take the kernel's command line and its locked settings back too")
    return 0


def obey(command: str, *, dry_run: bool) -> int:
    """Do one command under the lock. Raises `RefusedError`."""
    if os.geteuid() != 0:
        raise RefusedError("only root can do this")
    with Path(LOCK).open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError("it is running already") from None
        manifest = load(HERE)
        if command != "apply":
            return status(manifest) if command == "status" else revert(manifest)
        prerequisites(manifest)
        validate(manifest)
        return rehearse(manifest) if dry_run else apply(manifest)


def main(words: list[str]) -> int:
    """Parse the words and obey."""
    commands = [word for word in words if word != "--dry-run"] or ["apply"]
    if commands[0] in ("-h", "--help"):
        sys.stdout.write(str(__doc__))
        return 0
    if len(commands) != 1 or commands[0] not in COMMANDS:
        sys.stderr.write(str(__doc__))
        return 2
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    os.umask(0o022)
    open_log()
    try:
        return obey(commands[0], dry_run="--dry-run" in words)
    except RefusedError as error:
        complain(f"refused, nothing has been touched: {error}")
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
