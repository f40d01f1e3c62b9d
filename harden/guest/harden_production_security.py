#!/usr/bin/python3 -I
"""Put the hardening that lies beside this script into force on this machine, or take it back.

harden-production-security.sh [--dry-run] [apply]   check, validate, write, activate: all of it or nothing
harden-production-security.sh status                what is in place; exit status 1 if anything is missing
harden-production-security.sh revert                the former state again
harden-production-security.sh complain | enforce    the AppArmor profiles only tell, or deny again, until the next boot

--without apparmor|audit|network   leave a part out, on a machine that has not got it; without this word it is refused

Interrupted at any step, it puts the former state back; killed outright, the next apply or revert does so first.
Exit status: 0 done; 1 failed, and the former state is restored; 2 wrong words, or something is missing that it
needs, and nothing has been touched; 3 the former state could not be restored yet. Everything is told in the
journal under dots-family-security.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from pathlib import Path
from types import FrameType

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

from harden.guest.activate import (  # noqa: E402 - the bundle's own modules
    activate,
    profiles_enforced,
    running,
    set_mode,
    set_timers,
    write_all,
)
from harden.guest.before import prerequisites, validate  # noqa: E402
from harden.guest.former import (  # noqa: E402
    AGAIN,
    COMPLETE,
    back_up,
    broken_off,
    discard,
    extend,
    finished,
    note,
    recover,
    restore,
)
from harden.guest.manifest import PARTS, STATE, Manifest, kept, load  # noqa: E402
from harden.guest.system import BrokenError, RefusedError, complain, open_log, say  # noqa: E402

COMMANDS = ("apply", "status", "revert", "complain", "enforce")
LOCK = "/run/dots-family-hardening.lock"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StoppedError(BaseException):
    """Somebody wants this to end now."""


def ignore_signals() -> None:
    """From here on it goes to its end: half of a former state is no state."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def stop(number: int, _frame: FrameType | None) -> None:
    """The first signal unwinds; a second one must not break what puts things back."""
    ignore_signals()
    raise StoppedError(signal.Signals(number).name)


def rehearse(manifest: Manifest) -> int:
    """Tell what `apply` would do."""
    for entry in manifest.hardening:
        say(f"{'in place' if entry.in_place() else 'would write'}: {entry.path}")
    say(f"would boot with: {' '.join(manifest.kernel_parameters)}")
    return 0


def undo(instances: list[str]) -> int:
    """The former state again; the exit status tells whether all of it is back."""
    try:
        restore(instances)
    except (OSError, BrokenError) as error:
        complain(f"NOT restored, neither hardened nor as before: {error}; mend that, then run this with: revert")
        return 3
    complain("restored: this machine is as it was before")
    return 1


def apply(manifest: Manifest) -> int:
    """Everything, or nothing."""
    first = not COMPLETE.exists()
    try:
        back_up(manifest)
    except BaseException as error:
        discard(STATE if first else AGAIN)
        raise RefusedError(f"the former state cannot be kept: {error!r}") from error
    instances: list[str] = []
    try:
        instances = running(manifest)
        note("writing files", instances)
        extend(manifest)
        changed = write_all(manifest)
        if changed or not profiles_enforced(manifest):
            note("activating", instances)
            activate(manifest, instances)
        set_timers(on=True)
        finished()
    except BaseException as error:  # noqa: BLE001 - Ctrl-C halfway is to be undone too
        ignore_signals()
        complain(f"failed: {error!r}; the former state is being restored")
        return undo(instances)
    ignore_signals()
    say(f"hardened: {changed} of {len(manifest.files)} files written; reboot to bring all of it into force")
    return 0


def status(manifest: Manifest) -> int:
    """Tell what is in place and what is not."""
    step = broken_off()
    if step:
        say(f"an earlier start was broken off at: {step}; apply or revert puts the former state back first")
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
    return int(bool(missing or waiting or step or not enforced))


def revert(manifest: Manifest) -> int:
    """The former state again."""
    if not COMPLETE.exists():
        raise RefusedError("nothing has been applied here")
    ignore_signals()
    restore(running(manifest), reverting=True)
    say("reverted; reboot to take the kernel's command line and its locked settings back too")
    return 0


def change_mode(manifest: Manifest, mode: str) -> int:
    """Let the profiles only complain, or deny again."""
    if not COMPLETE.exists() or broken_off():
        raise RefusedError("nothing has been applied here; apply the hardening first")
    say(f"{set_mode(manifest, mode)} AppArmor profiles: {mode}, until the next boot enforces them")
    return 0


def _locked(command: str, without: tuple[str, ...], *, dry_run: bool) -> int:
    """Do one command; nobody else does one."""
    if command in ("apply", "revert") and not dry_run and broken_off():
        ignore_signals()
        recover()
        if command == "revert":
            return 0
        listen()
    if COMPLETE.exists() and not without:
        without = kept(STATE).without
    manifest = load(HERE).less(without)
    if command == "apply" and not (HERE / "manifest.json").is_file():
        raise RefusedError("there is nothing to apply beside this script; install the package, or unpack the bundle")
    if command == "status":
        return status(manifest)
    if command in ("complain", "enforce"):
        return change_mode(manifest, command)
    if command == "revert":
        return revert(kept(STATE) if COMPLETE.exists() else manifest)
    prerequisites(manifest)
    validate(manifest)
    return rehearse(manifest) if dry_run else apply(manifest)


def obey(command: str, without: tuple[str, ...] = (), *, dry_run: bool) -> int:
    """Do one command under the lock. Raises `RefusedError`."""
    if os.geteuid() != 0:
        raise RefusedError("only root can do this; run it with sudo")
    with Path(LOCK).open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError("it is running already; wait for the other one to end") from None
        return _locked(command, without, dry_run=dry_run)


def listen() -> None:
    """Unwind when somebody wants this to end."""
    for number in SIGNALS:
        signal.signal(number, stop)


def parse(words: list[str]) -> tuple[str, tuple[str, ...], bool] | None:
    """Command, parts to leave out, and whether it is a rehearsal; None for words that mean nothing."""
    rest, without = [word for word in words if word != "--dry-run"], []
    while "--without" in rest:
        place = rest.index("--without")
        part = "".join(rest[place + 1 : place + 2])
        if part not in PARTS:
            return None
        without.append(part)
        del rest[place : place + 2]
    commands = rest or ["apply"]
    dry_run = "--dry-run" in words
    if len(commands) != 1 or commands[0] not in COMMANDS or (commands[0] != "apply" and (dry_run or without)):
        return None
    return commands[0], tuple(dict.fromkeys(without)), dry_run


def main(words: list[str]) -> int:
    """Parse the words and obey."""
    if words[:1] in (["-h"], ["--help"]):
        sys.stdout.write(str(__doc__))
        return 0
    asked = parse(words)
    if asked is None:
        sys.stderr.write(str(__doc__))
        return 2
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    os.umask(0o022)
    open_log()
    listen()
    command, without, dry_run = asked
    try:
        return obey(command, without, dry_run=dry_run)
    except RefusedError as error:
        complain(f"refused, nothing has been touched: {error}")
        return 2
    except (BrokenError, OSError) as error:
        complain(f"failed: {error}; run it again, it puts the former state back first if that is needed")
        return 3
    except StoppedError as error:
        complain(f"stopped by {error}: nothing has been touched")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
