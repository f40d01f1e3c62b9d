"""Runs the build's steps in namespaces of their own (images/namespace.py), and removes what they leave."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from results.base.errors import InfrastructureError, PipelineError, UsageError
from results.base.events import Events
from results.base.process import Completed, run

NAMESPACE = Path(__file__).with_name("namespace.py")
NOT_POSSIBLE = 125
STEP_SECONDS = 1800.0
EVIDENCE_LINES = 12
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NAMESPACE_HINT = (
    "building needs user namespaces: the package uidmap, a line `NAME:100000:65536` for you in /etc/subuid and in "
    "/etc/subgid, and a kernel (or container) that allows them; `nox -s doctor` looks"
)
FULL_HINT = "free some room, or set DOTS_FAMILY_CACHE to a folder on a larger file system"


@dataclass(frozen=True)
class Symptom:
    """Words in a step's output that tell what went wrong, and what to do then."""

    pattern: str
    what: str
    hint: str
    usage: bool = False


# The first that fits counts.
SYMPTOMS = (
    Symptom("E: namespaces:", "there are no namespaces to build in", NAMESPACE_HINT),
    Symptom(
        "No space left on device|Disk quota exceeded|File too large|File size limit exceeded",
        "the disk is full",
        FULL_HINT,
    ),
    Symptom(
        r"NO_PUBKEY|is not signed|EXPKEYSIG|BADSIG|The following signatures",
        "the mirror's signature does not hold",
        "check the mirror, the clock, and that debian-archive-keyring is up to date",
    ),
    Symptom(
        r"\b404 +Not Found.*\.deb|\.deb +404|size has changed|Hash Sum mismatch",
        "the mirror has other packages now than when the base was made",
        "make the base anew: `nox -s build -- --refresh`",
    ),
    Symptom(
        r"Could not (resolve|connect)|Unable to connect|Cannot initiate the connection|Connection (timed out|failed)"
        r"|Connection refused|Temporary failure resolving|not have a Release file|no longer has a Release file"
        r"|Failed to fetch",
        "the mirror does not answer",
        "check the network and the host's apt configuration, or name a `mirror:` in the target's file",
    ),
    Symptom(
        "Unable to locate package", "a package of the target is unknown", "mend `packages:` in its file", usage=True
    ),
    Symptom(
        "unmet dependencies|has no installation candidate|Unable to correct problems|held broken packages",
        "packages cannot be installed together",
        "the workload's packages have to be installable on this suite: mend their Depends, or give what is missing",
        usage=True,
    ),
    Symptom(
        r"dpkg: error processing (package|archive)",
        "a package's own scripts or files fail",
        "see the lines above; the build has no network and no running systemd while packages are set up",
        usage=True,
    ),
)
MEMORY_NEEDED = 3 << 30
"""Bytes that have to be available for a tree to be unpacked in memory; it takes a sixth of that."""


def vector(argv: Sequence[str], binds: Mapping[str, Path], environment: Mapping[str, str]) -> list[str]:
    """The command that runs `argv` inside; each of `binds` shows as /tmp/NAME there."""
    job = {
        "argv": list(argv),
        "environment": {"PATH": SYSTEM_PATH, "LC_ALL": "C.UTF-8", "HOME": "/tmp", **environment},  # noqa: S108
        "binds": {name: str(folder) for name, folder in binds.items()},
    }
    return [sys.executable, "-I", str(NAMESPACE), json.dumps(job)]


def explain(done: Completed, step: str) -> PipelineError:
    """The error for a step that failed: what, and what to do, as far as its output tells."""
    text = done.stderr.decode(errors="backslashreplace") + done.text
    found = next((symptom for symptom in SYMPTOMS if re.search(symptom.pattern, text)), None)
    # apt says what is unmet on one stream, and that something is on the other
    evidence = "\n".join([*done.text.splitlines()[-EVIDENCE_LINES:], done.tail] if done.stderr.strip() else [done.tail])
    if found is None:
        return InfrastructureError(f"{step}: exit status {done.status}", "see the lines above", evidence=evidence)
    kind = UsageError if found.usage else InfrastructureError
    return kind(f"{step}: {found.what}", found.hint, evidence=evidence)


def run_step(
    step: str, argv: Sequence[str], *, binds: Mapping[str, Path], environment: Mapping[str, str], events: Events
) -> Completed:
    """Run one step of the build inside. Raises what `explain` makes of a failure."""
    done = run(vector(argv, binds, environment), events=events, check=False, timeout=STEP_SECONDS)
    if done.status != 0:
        raise explain(done, step)
    return done


def workplace(folder: Path) -> Path:
    """Make a folder that the root inside may write to; whoever is not us stays out by its parent's mode."""
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def tree_place(also: int = 0) -> str:
    """Where a step unpacks its tree: in memory where that is ample, else in its workplace on disk.

    `also` is what the tree gets beside the operating system, in bytes.
    """
    text = Path("/proc/meminfo").read_text(encoding="ascii")
    available = re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)
    ample = available is not None and int(available[1]) * 1024 >= MEMORY_NEEDED + 8 * also
    return "/tmp/tree" if ample else "/tmp/job/tree"  # noqa: S108 - inside


def handed_in(path: Path) -> Path:
    """Make an empty file that is ours and that the root inside may fill."""
    path.touch()
    path.chmod(0o666)
    return path


def remove(folder: Path, events: Events) -> None:
    """Remove a folder. What an ordinary user's build left belongs to subordinate ids: that goes from inside."""
    shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists() or os.geteuid() == 0:
        return
    for child in folder.iterdir():
        if child.is_dir():
            argv = ["sh", "-c", "rm -rf /tmp/it/* /tmp/it/.[!.]*"]
            run(vector(argv, {"it": child}, {}), events=events, check=False, timeout=120)
    shutil.rmtree(folder, ignore_errors=True)
