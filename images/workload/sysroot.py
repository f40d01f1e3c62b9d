"""Headers and libraries of the target's suite, so that what this host compiles fits that suite."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import run

PACKAGES = ("libc6-dev", "libsystemd-dev", "libsqlite3-dev", "libcrypt-dev", "linux-libc-dev")
LAYOUT = 1  # raised when the folder's shape changes, so that older entries are not used
LIBRARIES = "usr/lib/x86_64-linux-gnu"
MARKS = ("usr/include/systemd/sd-bus.h", "usr/include/sqlite3.h", "usr/include/crypt.h", "usr/include/linux/bpf.h")
DOWNLOAD_SECONDS = 300.0


def sysroot_key(suite: str, sources: Sequence[str]) -> str:
    """What the sysroot is made from, as a digest: the name of its cache entry."""
    inputs = json.dumps([LAYOUT, suite, list(sources), PACKAGES])
    return hashlib.sha256(inputs.encode()).hexdigest()[:32]


def sysroot(suite: str, sources: Sequence[str], *, cache: Path, events: Events) -> Path:
    """Make the sysroot, or take it from `cache`; an entry is there whole or not at all.

    Raises `InfrastructureError` when the mirror does not answer or the suite lacks a package.
    """
    entry = cache / f"sysroot-{sysroot_key(suite, sources)}"
    if entry.is_dir():
        return entry
    cache.mkdir(parents=True, exist_ok=True)
    with (
        events.step(f"headers and libraries of {suite}"),
        tempfile.TemporaryDirectory(prefix=".sysroot-", dir=cache, ignore_cleanup_errors=True) as folder,
    ):
        fresh = Path(folder) / "root"
        _unpack(suite, sources, fresh, events)
        _put_in_place(fresh, entry)
    return entry


def _unpack(suite: str, sources: Sequence[str], fresh: Path, events: Events) -> None:
    """Let apt choose, fetch and verify the packages; take only their files, as whoever we are."""
    tar = fresh.with_suffix(".tar")
    fetch = [
        "mmdebstrap",
        "--variant=extract",
        "--format=tar",
        "--skip=check/empty",
        "--aptopt=Apt::Install-Recommends false",
    ]
    fetch += [f"--include={','.join(PACKAGES)}", suite, str(tar), *sources]
    run(fetch, events=events, timeout=DOWNLOAD_SECONDS, hint="does the mirror answer, and has it this suite?")
    for name in ("lib", "lib64"):  # one tree, as in a running Debian; older suites still package both places
        (fresh / "usr" / name).mkdir(parents=True)
        (fresh / name).symlink_to(f"usr/{name}")
    unwanted = [f"--exclude=./{name}" for name in ("dev", "etc", "var", "tmp", "usr/share", "usr/bin", "usr/sbin")]
    unpack = ["tar", "--extract", "--file", str(tar), "--directory", str(fresh), "--no-same-owner"]
    run([*unpack, "--keep-directory-symlink", *unwanted], events=events)
    missing = [mark for mark in MARKS if not (fresh / mark).exists()]
    if missing:
        raise InfrastructureError(f"the packages of {suite} hold no {', '.join(missing)}", "is it a Debian suite?")
    _make_links_relative(fresh)


def _make_links_relative(root: Path) -> None:
    """Links that start with `/` mean the target's root, but the linker would follow them into the host's."""
    for folder, _, names in os.walk(root / "usr" / "lib"):
        for path in (Path(folder, name) for name in names):
            if path.is_symlink() and path.readlink().is_absolute():
                inside = root / path.readlink().relative_to("/")
                path.unlink()
                path.symlink_to(os.path.relpath(inside, folder))


def _put_in_place(fresh: Path, entry: Path) -> None:
    try:
        fresh.rename(entry)
    except OSError:
        if not entry.is_dir():  # another pipeline's entry, made meanwhile, is as good as ours
            raise
        shutil.rmtree(fresh, ignore_errors=True)
