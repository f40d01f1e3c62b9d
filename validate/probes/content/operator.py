"""What an operator does unseen: the attempt succeeds where no audit record with the right key appears."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from validate.guest import audit, kernel, system
from validate.guest.probing import Attempt, World, probe, stopped, worked

SECONDS = 5.0
"""Within which the record has to be in the log (before stretching)."""


def unseen(name: str, title: str, attempt: str, key: str, control: str, act: Callable[[World], object]) -> None:
    """Declare an act that has to leave a record with `key`. What comes of the act itself does not matter."""

    @probe(f"operator.{name}", title, attempt, identity="operator", controls=(control,), seconds=20)
    def look(world: World) -> Attempt:
        start = audit.size()
        try:
            act(world)
            done = "done"
        except OSError as error:
            done = f"refused ({error.strerror})"
        lines, came = audit.records_since(start, seconds=world.patience(SECONDS))
        wanted = [line for line in lines if f'key="{key}"' in line and "type=SYSCALL" in line]
        note = "" if came else "; our own audit record did not reach the log either"
        if wanted:
            return stopped(f"{attempt}: {done}", audit.shortened(wanted[-1]))
        return worked(f"{attempt}: {done}", f"no record with key {key} among {len(lines)}{note}")


def touched(path: Callable[[World], str]) -> Callable[[World], object]:
    """Open a file to append, and write nothing: to the audit rules it is a write."""
    return lambda world: os.close(os.open(path(world), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))


def same_mode(world: World) -> None:
    """Set the daemon's program to the mode that it has."""
    path = world.product["binaries"]["daemon"]
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode))  # noqa: PTH101, PTH116 - os throughout


def attribute(_: World) -> None:
    """Set an extended attribute on a file of our own."""
    path = f"/var/tmp/.dots-probe-{os.getpid()}"  # noqa: S108 - made exclusively, and gone at once
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        os.setxattr(path, "user.dots", b"probe")
    finally:
        os.unlink(path)  # noqa: PTH108


def vendor_unit(world: World) -> str:
    """The daemon's unit as its package brought it."""
    return system.show([world.unit("daemon")], ["FragmentPath"])[0]["FragmentPath"]


CONFIG, SERVICE, GROUP = "dots-family-config", "dots-family-service", "dots-family-group"
unseen(
    "edits-configuration",
    "The product's configuration is changed without a record",
    "open daemon.conf to write",
    CONFIG,
    "audit.config",
    touched(lambda world: str(world.product["configuration"]["daemon"])),
)
unseen(
    "edits-database",
    "The family's database is changed without a record",
    "open the database to write",
    CONFIG,
    "audit.config",
    touched(lambda world: str(world.product["paths"]["database"])),
)
unseen(
    "edits-policy",
    "The bus policy is changed without a record",
    "open the policy to write",
    CONFIG,
    "audit.hardening-files",
    touched(lambda world: str(world.product["paths"]["bus_policy"])),
)
unseen(
    "edits-program",
    "The daemon's program is changed without a record",
    "set the program's mode",
    CONFIG,
    "audit.binaries-changed",
    same_mode,
)
unseen(
    "edits-unit",
    "A unit is changed without a record",
    "open the daemon's unit to write",
    SERVICE,
    "audit.service-files",
    touched(vendor_unit),
)
unseen(
    "edits-group",
    "A group is changed without a record",
    "open /etc/group to write",
    GROUP,
    "audit.group",
    touched(lambda _: "/etc/group"),
)
unseen(
    "runs-ctl",
    "The product's command line is used without a record",
    "run dots-family-ctl",
    "dots-family-exec",
    "audit.exec",
    lambda world: system.command(world.product["binaries"]["ctl"], "--help"),
)
unseen(
    "runs-systemctl",
    "Services are managed without a record",
    "run systemctl",
    SERVICE,
    "audit.service-management",
    lambda _: system.command("systemctl", "--version"),
)
unseen(
    "uses-bpf",
    "eBPF is used without a record",
    "bpf(2), making a map",
    "dots-family-ebpf",
    "audit.ebpf",
    lambda _: kernel.create_map(),
)
unseen(
    "uses-sudo",
    "Somebody tries sudo without a record",
    "an outsider runs sudo",
    "dots-family-privesc",
    "audit.privilege-tools",
    lambda world: world.as_("outsider", system.command, "sudo", "-n", "true"),
)
unseen(
    "loads-module",
    "A kernel module is loaded without a record",
    "init_module(2) with something that is no module",
    "dots-family-privesc",
    "audit.modules",
    lambda _: kernel.load_module(),
)
unseen(
    "sets-attributes",
    "A file's extended attributes are changed without a record",
    "setxattr(2) on a file",
    "dots-family-caps",
    "audit.file-capabilities",
    attribute,
)
unseen(
    "sets-capabilities",
    "A session changes capabilities without a record",
    "capset(2), to what they are",
    "dots-family-caps",
    "audit.capabilities",
    lambda _: kernel.same_capabilities(),
)
unseen(
    "edits-packet-filter",
    "The packet filter's rules are changed without a record",
    "open the file of the rules to write",
    CONFIG,
    "audit.hardening-files",
    touched(lambda world: f"/etc/{world.product['name']}-hardening/egress.nft"),
)
unseen(
    "edits-subordinates",
    "User ids are given to somebody without a record",
    "open /etc/subuid to write",
    GROUP,
    "audit.group",
    touched(lambda _: "/etc/subuid"),
)
