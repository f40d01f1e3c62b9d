"""Builds the reference workload: compiles its few C files for the target's suite, and packs a .deb."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from images.workload.deb import Entry, archive
from images.workload.sysroot import LIBRARIES, sysroot, sysroot_key
from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import run

REFERENCE = Path(__file__).with_name("reference")
BUILDERS = ("deb.py", "package.py", "sysroot.py")
EPOCH = 1_760_000_000  # Unix seconds: the times in the package, unless SOURCE_DATE_EPOCH says other
NAME = "dots-family_1.0.0_amd64.deb"

# Program -> its sources and libraries.
PROGRAMS = {
    "dots-family-daemon": (
        (
            "main.c",
            "bus.c",
            "bus_family.c",
            "bus_parents.c",
            "bus_health.c",
            "database.c",
            "ebpf.c",
            "policy.c",
            "common.c",
        ),
        ("systemd", "sqlite3", "crypt"),
    ),
    "dots-family-monitor": (("monitor.c", "common.c"), ("systemd",)),
    "dots-family-ctl": (("ctl.c", "common.c"), ("systemd",)),
    "dots-family-filter": (
        (*(f"filter/{name}.c" for name in ("main", "serve", "request", "upstream", "blocklist")), "common.c"),
        ("systemd", "pthread"),
    ),
}
EMPTY_FOLDERS = ("var/lib/dots-family", "var/log/dots-family")
WARNINGS = ("-Wall", "-Wextra", "-Wshadow", "-Werror")
PROTECTIONS = (
    "-D_FORTIFY_SOURCE=2",
    "-fPIE",
    "-pie",
    "-fstack-protector-strong",
    "-fstack-clash-protection",
    "-fcf-protection",
    "-Wl,-z,relro,-z,now,-z,noexecstack,--as-needed,--build-id=sha1",
)
SHELL_SCRIPTS = ("postinst", "prerm", "postrm")


def reference_inputs() -> dict[str, str]:
    """SHA-256 of everything that the package is made from, by path: part of an image's cache key."""
    here = Path(__file__).parent
    files = [path for path in sorted(REFERENCE.rglob("*")) if path.is_file()] + [here / name for name in BUILDERS]
    return {str(path.relative_to(here)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def reference_package(suite: str, sources: Sequence[str], *, cache: Path, events: Events) -> Path:
    """Build the reference workload for `suite`, or take it from `cache`; same inputs give the same bytes.

    `sources` are one-line apt sources. Raises `InfrastructureError` when the host lacks a tool, the mirror
    does not answer, or a source does not compile.
    """
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH))
    compiler = run(["gcc", "--version"], events=events, hint="apt-get install gcc").text.splitlines()[0]
    key = json.dumps([reference_inputs(), sysroot_key(suite, sources), compiler, epoch])
    entry = cache / f"reference-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    package = entry / NAME
    if package.is_file():
        return package
    root = sysroot(suite, sources, cache=cache, events=events)
    with (
        events.step(f"reference workload for {suite}"),
        tempfile.TemporaryDirectory(prefix=".reference-", dir=cache, ignore_cleanup_errors=True) as folder,
    ):
        programs = [_compile(name, root, Path(folder), events) for name in PROGRAMS]
        whole = Path(folder) / NAME
        whole.write_bytes(archive(control_entries(root), [*programs, *data_entries()], epoch))
        entry.mkdir(exist_ok=True)
        whole.rename(package)
    return package


def compiler_argv(name: str, root: Path, output: Path) -> list[str]:
    """The command that compiles one program; the host's own headers and libraries are out of its sight."""
    files, libraries = PROGRAMS[name]
    source = REFERENCE / "src"
    return [
        "gcc",
        f"--sysroot={root}",
        f"-B{root / LIBRARIES}",
        "-std=gnu17",
        "-D_GNU_SOURCE",
        "-O2",
        "-g0",
        "-s",
        f"-ffile-prefix-map={source}=.",
        *WARNINGS,
        *PROTECTIONS,
        "-o",
        str(output),
        *(str(source / file) for file in files),
        *(f"-l{library}" for library in libraries),
    ]


def _compile(name: str, root: Path, folder: Path, events: Events) -> Entry:
    output = folder / name
    run(compiler_argv(name, root, output), events=events, timeout=120, env={"LC_ALL": "C"}, hint="see the lines above")
    return Entry(f"usr/bin/{name}", output.read_bytes(), 0o755)


def _libc_dependency(root: Path) -> str:
    """`libc6 (>= N)` for the C library that the programs were linked with."""
    text = (root / "usr" / "include" / "features.h").read_text(encoding="utf-8")
    version = re.search(r"^#define\s+__GLIBC_MINOR__\s+(\d+)", text, re.MULTILINE)
    if version is None:
        raise InfrastructureError(f"{root}: no C library version in features.h", "remove this folder and build again")
    return f"libc6 (>= 2.{version[1]})"


def control_entries(root: Path) -> list[Entry]:
    """The package's control files and maintainer scripts."""
    folder = REFERENCE / "package" / "control"
    entries = []
    for path in sorted(folder.iterdir()):
        text = path.read_text(encoding="utf-8")
        if path.name == "control":
            text = text.replace("@LIBC@", _libc_dependency(root))
        entries.append(Entry(path.name, text.encode(), 0o755 if path.name in SHELL_SCRIPTS else 0o644))
    return entries


def data_entries() -> list[Entry]:
    """The plain files that the package installs, as its vendor leaves them: readable by all."""
    folder = REFERENCE / "package" / "root"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    entries = [Entry(str(path.relative_to(folder)), path.read_bytes(), 0o644) for path in files]
    return entries + [Entry(path, None, 0o755) for path in EMPTY_FOLDERS]
