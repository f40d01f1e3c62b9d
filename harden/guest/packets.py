"""The packet filter and the groups that the hardening needs, on a running machine."""

from __future__ import annotations

import grp
import re

from harden.guest.manifest import Entry, Manifest
from harden.guest.system import run

GROUP = re.compile(r"^g (\S+)", re.MULTILINE)


def _ours(manifest: Manifest) -> dict[str, Entry]:
    """The files of the packet filter by suffix: .nft, .py, .path, .service; empty where it is left out."""
    return {entry.path.suffix: entry for entry in manifest.hardening if re.search(r"\begress\.\w+$", str(entry.path))}


def load_rules(manifest: Manifest, *, check: bool = True) -> None:
    """Start what loads the rules, now and whenever accounts change. With `check`, raises `BrokenError`."""
    units = [entry.path.name for suffix, entry in _ours(manifest).items() if suffix in (".path", ".service")]
    if units:
        run("systemctl", "start", *units, check=check)


def remove_rules(manifest: Manifest) -> None:
    """Take the rules out of the kernel, while the files that know how are still there."""
    ours = _ours(manifest)
    if all(suffix in ours and ours[suffix].path.exists() for suffix in (".nft", ".py", ".path")):
        run("systemctl", "stop", ours[".path"].path.name, check=False)
        run("python3", "-I", str(ours[".py"].path), str(ours[".nft"].path), "--remove", check=False)


def missing_groups(manifest: Manifest) -> list[str]:
    """Groups that the hardening will make."""
    there = {one.gr_name for one in grp.getgrall()}
    return [name for name in GROUP.findall(manifest.text("/etc/sysusers.d")) if name not in there]


def make_groups(manifest: Manifest) -> None:
    """Make them. Raises `BrokenError`."""
    for entry in manifest.under("/etc/sysusers.d"):
        run("systemd-sysusers", str(entry.path))


def remove_groups(names: list[str]) -> None:
    """Take away those that were made."""
    there = {one.gr_name for one in grp.getgrall()}
    for name in names:
        if name in there:
            run("groupdel", name, check=False)
