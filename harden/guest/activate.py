"""Putting files into force on a running machine. The kernel's command line alone waits for the reboot."""

from __future__ import annotations

import re
import time
from pathlib import Path

from harden.guest.manifest import LOADER_ENTRIES, Manifest, with_parameters
from harden.guest.packets import load_rules, make_groups
from harden.guest.system import BrokenError, run, say, write

HEALTHY_WITHIN = 60.0
"""Seconds that the product's units have to become active; an emulated machine is slow."""

TIMERS = ("dots-family-security-monitor.timer", "dots-family-security-audit.timer")

_KEY = re.compile(r"(?:-k |-F key=)(\S+)$", re.MULTILINE)


def write_all(manifest: Manifest) -> int:
    """Write every file that is not in place, and the loader's entries; how many were written."""
    changed = 0
    for entry in manifest.hardening:
        if not entry.in_place():
            write(entry.path, manifest.content(entry), int(entry.mode, 8), *entry.ids)
            changed += 1
    for path in sorted(LOADER_ENTRIES.glob("*.conf")):
        text = path.read_text(encoding="utf-8")
        wanted = with_parameters(text, manifest.kernel_parameters)
        if wanted != text:
            write(path, wanted.encode(), 0o644, 0, 0)
            changed += 1
    return changed


def profiles_enforced(manifest: Manifest) -> bool:
    """Whether the kernel enforces every profile."""
    wanted = manifest.under("/etc/apparmor.d")
    if not wanted:
        return True
    loaded = Path("/sys/kernel/security/apparmor/profiles").read_text(encoding="utf-8").splitlines()
    return all(f"{entry.path.name} (enforce)" in loaded for entry in wanted)


def running(manifest: Manifest) -> list[str]:
    """Instances of the product's templates that are running."""
    globs = [name.replace("@.service", "@*.service") for name in manifest.templates]
    listed = run("systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating", *globs, check=False)
    return [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]


def settle(manifest: Manifest, instances: list[str], *, check: bool = True) -> None:
    """Let systemd, the bus, the SSH server and the journal read their files again, and start the product.

    Without `check`, what fails is skipped: when the former state comes back, the rest of it has to as well.
    """
    run("systemctl", "daemon-reload", check=check)
    run("systemctl", "reload", "dbus.service", check=False)
    if run("systemctl", "is-active", "--quiet", "ssh.service", check=False).returncode == 0:
        run("sshd", "-t", check=check)
        run("systemctl", "reload", "ssh.service", check=False)
    run("systemctl", "restart", "systemd-journald.service", check=False)
    run("journalctl", "--flush", check=False)
    run("systemctl", "reset-failed", *manifest.units, *instances, check=False)
    run("systemctl", "start", *manifest.units, *instances, check=check)


def audit_is_locked() -> bool:
    """Whether this boot's audit rules can no longer be changed."""
    return bool(re.search(r"^enabled 2$", run("auditctl", "-s").stdout, re.MULTILINE))


def set_timers(*, on: bool) -> None:
    """Start or stop the monitor's and the audit's timers now; at boot, their drop-in for timers.target does it."""
    run("systemctl", "start" if on else "stop", *TIMERS, check=on)


def set_mode(manifest: Manifest, mode: str) -> int:
    """Let the profiles only complain, or enforce them again, until the next boot; how many there are."""
    entries = manifest.under("/etc/apparmor.d")
    for entry in entries:
        run("apparmor_parser", "--replace", *(["--Complain"] if mode == "complain" else []), str(entry.path))
    return len(entries)


def _load_audit_rules(manifest: Manifest) -> None:
    """Load the rules; where they are locked already, that waits for the next boot."""
    if not manifest.under("/etc/audit"):
        return
    if audit_is_locked():
        say("audit rules are locked in this boot: a change of them comes with the next one")
        return
    run("augenrules", "--load", check=False)  # its exit status is that of the line that locks them
    missing = set(_KEY.findall(manifest.text("/etc/audit"))) - set(_KEY.findall(run("auditctl", "-l").stdout))
    if missing:
        raise BrokenError(f"audit rules did not load: {', '.join(sorted(missing))}")


def _healthy(manifest: Manifest, instances: list[str]) -> None:
    """Wait for the product. Raises `BrokenError` when it does not come up under the hardening."""
    units = [*manifest.units, *instances]
    ends = time.monotonic() + HEALTHY_WITHIN
    while True:
        states = run("systemctl", "is-active", *units, check=False).stdout.split()
        if len(states) == len(units) and set(states) == {"active"}:
            return
        if time.monotonic() > ends:
            told = ", ".join(f"{unit} is {state}" for unit, state in zip(units, states, strict=False))
            raise BrokenError(f"the product does not come up: {told}")
        time.sleep(1)


def activate(manifest: Manifest, instances: list[str]) -> None:
    """Everything that a running machine can take up now. Raises `BrokenError`."""
    for entry in manifest.under("/etc/apparmor.d"):
        run("apparmor_parser", "--replace", str(entry.path))
    run("systemctl", "stop", *instances, *manifest.units)
    make_groups(manifest)
    # While the daemon is down, files that it made as root get the owner that it has from now on.
    run("systemd-tmpfiles", "--create", *(str(entry.path) for entry in manifest.under("/etc/tmpfiles.d")))
    settle(manifest, instances)
    load_rules(manifest)
    _healthy(manifest, instances)
    # Last, for some of these settings, and then the audit rules, are locked until the next boot.
    for entry in manifest.under("/etc/sysctl.d"):
        run("sysctl", "--quiet", "--load", str(entry.path))
    _load_audit_rules(manifest)
