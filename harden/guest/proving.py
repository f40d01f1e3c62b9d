"""Proof that rules, units and policies are understood by this machine, before one of them goes live."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from grp import getgrnam
from pathlib import Path
from pwd import getpwnam

from harden.guest.manifest import Entry, Manifest
from harden.guest.packets import missing_groups
from harden.guest.system import run

BUS_ELEMENTS = {"busconfig": "", "policy": "context user group", "allow": "", "deny": ""}
"""What a policy file may hold; attributes of `policy`, while those of rules start like `_RULE`."""
_RULE = re.compile(r"(send|receive|own|user|group|eavesdrop|log|min_fds|max_fds)(_\w+)?")
_WATCH = re.compile(r"-w /\S+ -p [rwxa]+ -k \S+")
_CALLS = re.compile(r"-a always,exit -F arch=b(32|64) -S (\S+)( -[FC] \S+)* -F key=\S+")
_ORDER = re.compile(r"-[DcBbfre]|-[bfre] \d+|--backlog_wait_time \d+|--loginuid-immutable")
UNITS = ("/etc/systemd/system", "/usr/lib/systemd/system")
ARCHITECTURES = {"64": os.uname().machine, "32": {"x86_64": "i386"}.get(os.uname().machine, "")}


def _profile(manifest: Manifest, entry: Entry) -> Iterator[str]:
    done = run("apparmor_parser", "--skip-kernel-load", "--skip-cache", str(manifest.source(entry)), check=False)
    if done.returncode:
        yield done.stdout.strip()


def _known(lookup: Callable[[str], object], name: str) -> bool:
    try:
        lookup(name)
    except KeyError:
        return False
    return True


def _policy(manifest: Manifest, entry: Entry) -> Iterator[str]:
    """The bus ignores a rule for a name that it does not know, and refuses all of a file that it cannot read."""
    try:
        root = ET.fromstring(manifest.content(entry))  # noqa: S314 - our own file, of a proven digest
    except ET.ParseError as error:
        yield str(error)
        return
    to_come = missing_groups(manifest)
    if root.tag != "busconfig":
        yield f"<{root.tag}> is no bus policy"
    for one in root.iter():
        known = BUS_ELEMENTS.get(one.tag)
        if known is None:
            yield f"the bus knows no <{one.tag}>"
            continue
        unknown = [
            name for name in one.attrib if name not in known.split() and not (not known and _RULE.fullmatch(name))
        ]
        yield from (f"the bus knows no {name} in <{one.tag}>" for name in unknown)
        for kind, lookup in (("user", getpwnam), ("group", getgrnam)):
            name = one.attrib.get(kind, "*")
            if name not in ("*", *to_come) and not _known(lookup, name):
                yield f"there is no {kind} {name} here"


def _calls(bits: str) -> set[str]:
    """System calls that this machine's audit knows by name."""
    dumped = run("ausyscall", ARCHITECTURES[bits], "--dump", check=False).stdout
    return {line.split()[1] for line in dumped.splitlines() if len(line.split()) == 2}


def _rules(manifest: Manifest, entry: Entry) -> Iterator[str]:
    """One wrong rule would stop all that come behind it."""
    known: dict[str, set[str]] = {}
    for line in manifest.content(entry).decode().splitlines():
        if not line.strip() or line.startswith("#") or _WATCH.fullmatch(line) or _ORDER.fullmatch(line):
            continue
        rule = _CALLS.fullmatch(line)
        if not rule:
            yield f"no rule that the audit understands: {line}"
        elif ARCHITECTURES[rule[1]] and shutil.which("ausyscall"):
            calls = known.setdefault(rule[1], _calls(rule[1]))
            yield from (f"no system call {name}: {line}" for name in rule[2].split(",") if calls and name not in calls)


def _server(manifest: Manifest, entry: Entry) -> Iterator[str]:
    if not Path("/run/sshd").is_dir():  # it proves nothing before it has run once in this boot
        return
    done = run("sshd", "-t", "-f", str(manifest.source(entry)), check=False)
    if done.returncode:
        yield done.stdout.strip()


def _packets(manifest: Manifest, entry: Entry) -> Iterator[str]:
    """The packet filter's rules, as the kernel would take them; its sets are filled later."""
    if entry.path.suffix == ".nft":
        done = run("nft", "--check", "--file", str(manifest.source(entry)), check=False)
        if done.returncode:
            yield done.stdout.strip()


PROVERS: tuple[tuple[str, str, Callable[[Manifest, Entry], Iterator[str]]], ...] = (
    ("/etc/apparmor.d", "apparmor_parser", _profile),
    ("/etc/audit", "", _rules),
    ("/usr/share/dbus-1/system.d", "", _policy),
    ("/etc/ssh/sshd_config.d", "sshd", _server),
    ("/etc", "nft", _packets),
)
"""Folder, the program that is needed to prove what lies in it, and the proof: what is wrong."""


def of_file(manifest: Manifest, entry: Entry) -> Iterator[str]:
    """What is wrong with one file on this machine. Raises `RefusedError` for a damaged bundle."""
    manifest.content(entry)
    for folder, program, prove in PROVERS:
        if entry.path.is_relative_to(folder) and (not program or shutil.which(program)):
            yield from (f"{entry.path}: {wrong}" for wrong in prove(manifest, entry))


def of_units(manifest: Manifest) -> Iterator[str]:
    """What systemd itself says to the units as they will be: their own files with our drop-ins, in a folder apart."""
    entries = [(one, one.path.relative_to(folder)) for folder in UNITS for one in manifest.under(folder)]
    if not entries or not shutil.which("systemd-analyze"):
        return
    with tempfile.TemporaryDirectory(prefix="dots-family-units-", dir="/run") as name:
        folder = Path(name)
        for entry, inside in entries:
            place = folder / inside
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(manifest.content(entry))
        for unit in (*manifest.units, *manifest.templates):
            fragment = run("systemctl", "show", "--property=FragmentPath", "--value", _instance(unit)).stdout.strip()
            if fragment:
                (folder / unit).write_bytes(Path(fragment).read_bytes())
        wanted = [str(folder / unit) for unit in (*manifest.units, *manifest.templates)]
        wanted += [str(path) for path in sorted(folder.glob("*.service")) if str(path) not in wanted]
        path = f"SYSTEMD_UNIT_PATH={folder}:"
        done = run("env", path, "systemd-analyze", "verify", "--man=no", "--generators=no", *wanted, check=False)
    ours = [str(folder / inside) for _entry, inside in entries]  # what the vendor's own files hold is not ours to judge
    told = {line.replace(f"{folder}/", "") for line in done.stdout.splitlines() if any(one in line for one in ours)}
    yield from sorted(line for line in told if "is not executable" not in line)  # our own programs come later


def _instance(unit: str) -> str:
    """`systemctl show` knows no templates, only what would come of them."""
    return unit.replace("@.", "@verify.")
