"""Kernel parameters: what the kernel has now, and what the files in /etc and /usr/lib say."""

from __future__ import annotations

import fnmatch
import os
from typing import Any

from validate.facts.guest.context import Context, Reader, text_of

FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
"""sysctl.d(5): a file hides those of the same name in later folders; all are read by name."""
# binfmt_misc is an automount: looking would mount it. stat_refresh makes the kernel work for nothing.
SKIPPED = frozenset({"fs/binfmt_misc", "vm/stat_refresh"})
SECRET = "/stable_secret"
"""Ending of the parameters that hold a key; reading one that is not set is an I/O error besides."""
READABLE = 0o444
VALUE_SIZE = 4000
"""Bytes asked for at first: the kernel hands a parameter out whole in one read, and clears as much memory before."""
VALUE_LIMIT = 65536
"""Bytes asked for where that was not enough; no parameter comes near this."""
SWAPPED = str.maketrans("/.", "./")


def dotted(path: str) -> str:
    """Name of the file `net/ipv4/conf/eth0.1/x` below /proc/sys: dots and slashes change places."""
    return path.translate(SWAPPED)


def normal(key: str) -> str:
    """A key of sysctl.d as dotted name: if the first separator is a slash, the key is a path."""
    first = next((letter for letter in key if letter in "./"), ".")
    return dotted(key) if first == "/" else key


def live(context: Context) -> dict[str, str]:
    """Every readable parameter. What should be readable and is not goes to `errors`."""
    found: dict[str, str] = {}
    base = context.reader.real("/proc/sys")
    folders = [base]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                name = entry.path[len(base) + 1 :]
                if name in SKIPPED or name.endswith(SECRET):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    _read(context, name, entry, found)
    return dict(sorted(found.items()))


def _read(context: Context, name: str, entry: os.DirEntry[str], found: dict[str, str]) -> None:
    try:
        found[dotted(name)] = text_of(_value(entry.path)).rstrip("\n")
    except FileNotFoundError:
        return  # an interface that went away
    except OSError as error:
        if entry.stat().st_mode & READABLE:  # a write-only file is no question that was left open
            context.error(("sysctl", dotted(name)), error)


def _value(path: str) -> bytes:
    """One parameter, by bare system calls: there are a thousand, and each layer above costs a second in all."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        value = os.read(descriptor, VALUE_SIZE)
        return os.pread(descriptor, VALUE_LIMIT, 0) if len(value) == VALUE_SIZE else value
    finally:
        os.close(descriptor)


def chosen_files(reader: Reader) -> list[str]:
    """The files that count, in the order in which systemd-sysctl reads them."""
    chosen: dict[str, str] = {}
    for folder in FOLDERS:
        for name in reader.some_names(folder):
            if name.endswith(".conf"):
                chosen.setdefault(name, f"{folder}/{name}")
    return [path for _, path in sorted(chosen.items())]


def parse_sysctl(text: str) -> list[tuple[str, str | None, bool]]:
    """Lines as (dotted key, value or None for an exclusion, whether failing is tolerated)."""
    parsed: list[tuple[str, str | None, bool]] = []
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line[0] in "#;":
            continue
        key, equals, value = line.partition("=")
        key = key.strip()
        lenient = key.startswith("-")
        key = normal(key.lstrip("-").strip())
        if key and (equals or lenient):
            parsed.append((key, value.strip() if equals else None, lenient))
    return parsed


def configured(reader: Reader) -> dict[str, dict[str, Any]]:
    """What the files ask for: the last of several lines for one key wins."""
    found: dict[str, dict[str, Any]] = {}
    for path in chosen_files(reader):
        for key, value, lenient in parse_sysctl(reader.optional(path) or ""):
            if value is not None:
                found[key] = {"value": value, "file": path, "lenient": lenient}
    return dict(sorted(found.items()))


def excluded(reader: Reader) -> set[str]:
    """Keys that a line `-key` takes out of what globs set."""
    lines = [line for path in chosen_files(reader) for line in parse_sysctl(reader.optional(path) or "")]
    return {key for key, value, _ in lines if value is None}


def unapplied(wanted: dict[str, dict[str, Any]], now: dict[str, str], exceptions: set[str]) -> list[str]:
    """Configured parameters that the kernel does not have, or has otherwise. A plain key beats a glob."""
    wrong = []
    for key, setting in wanted.items():
        is_glob = any(letter in key for letter in "*?[")
        names = _covered(key, wanted, now, exceptions) if is_glob else [key]
        wrong += [name for name in names if not _holds(setting, now.get(name))]
    return sorted(set(wrong))


def _covered(key: str, wanted: dict[str, Any], now: dict[str, str], exceptions: set[str]) -> list[str]:
    matching = fnmatch.filter(now, key)
    return [name for name in matching if name not in wanted and name not in exceptions]


def _holds(setting: dict[str, Any], value: str | None) -> bool:
    if value is None:
        return bool(setting["lenient"])
    return value.split() == str(setting["value"]).split()


def collect(context: Context) -> dict[str, Any]:
    """The sections `sysctl`, `sysctl_configured` and `sysctl_unapplied`."""
    now = live(context)
    wanted = configured(context.reader)
    return {
        "sysctl": now,
        "sysctl_configured": wanted,
        "sysctl_unapplied": unapplied(wanted, now, excluded(context.reader)),
    }
