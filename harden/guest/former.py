"""The former state: kept before the first change, put back on failure and on demand."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from harden.guest.activate import settle
from harden.guest.manifest import LOADER_ENTRIES, STATE, Manifest
from harden.guest.system import proc_sys, run, say, write

COMPLETE = STATE / "complete"
"""Made last: without it, what lies there is a rest of an interrupted run."""


def _owner(path: Path) -> dict[str, int]:
    info = path.lstat()
    return {"mode": info.st_mode & 0o7777, "uid": info.st_uid, "gid": info.st_gid}


def _owned_paths(manifest: Manifest) -> list[Path]:
    """Existing paths whose mode or owner the hardening changes."""
    found: set[Path] = set()
    for line in manifest.text("/etc/tmpfiles.d").splitlines():
        words = line.split()
        if len(words) > 1 and words[0] in ("d", "z", "Z"):
            found |= set(Path("/").glob(words[1].lstrip("/")))
    for folder in manifest.kept:
        found |= set(folder.rglob("*"))
    return sorted(path for path in found if not path.is_symlink() and not path.is_relative_to("/sys"))


def back_up(manifest: Manifest) -> None:
    """Keep the former state, once: a second run keeps what the first one saw."""
    if COMPLETE.exists():
        return
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True, mode=0o700)
    files: dict[str, dict[str, int] | None] = {}
    for path in [*(entry.path for entry in manifest.files), *sorted(LOADER_ENTRIES.glob("*.conf"))]:
        files[str(path)] = _owner(path) if path.exists() else None
        if path.exists():
            kept = STATE / "files" / path.relative_to("/")
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(path.read_bytes())
    former = {
        "files": files,
        "owners": {str(path): _owner(path) for path in _owned_paths(manifest)},
        "sysctl": {name: proc_sys(name).read_text(encoding="ascii").strip() for name in manifest.sysctl_names()},
    }
    (STATE / "former.json").write_text(json.dumps(former, indent=1), encoding="utf-8")
    shutil.copyfile(manifest.folder / "manifest.json", STATE / "manifest.json")
    os.sync()
    COMPLETE.touch()


def _restore_files(files: dict[str, dict[str, int] | None]) -> None:
    for name, kept in files.items():
        path = Path(name)
        if kept:
            content = (STATE / "files" / path.relative_to("/")).read_bytes()
            write(path, content, kept["mode"], kept["uid"], kept["gid"])
            continue
        path.unlink(missing_ok=True)
        if path.parent.name.endswith(".service.d") or path.parent.name == "journald.conf.d":
            with contextlib.suppress(OSError):  # somebody else's files are in it
                path.parent.rmdir()


def _restore_settings(settings: dict[str, str]) -> None:
    for name, value in settings.items():
        if proc_sys(name).read_text(encoding="ascii").strip() == value:
            continue
        try:
            proc_sys(name).write_text(value, encoding="ascii")
        except OSError:
            say(f"{name} goes back to {value!r} with the next boot: the kernel has locked it")


def restore(manifest: Manifest, instances: list[str]) -> None:
    """The former state again, as far as a running kernel gives it back; the rest comes with the next boot.

    `instances` of the product's templates are running again at the end.
    """
    former: dict[str, Any] = json.loads((STATE / "former.json").read_text(encoding="utf-8"))
    run("systemctl", "stop", *instances, *manifest.units, check=False)
    for entry in manifest.under("/etc/apparmor.d"):
        if entry.path.exists():
            run("apparmor_parser", "--remove", str(entry.path), check=False)
    _restore_files(former["files"])
    for name, kept in former["owners"].items():
        if os.path.lexists(name):
            os.chown(name, kept["uid"], kept["gid"], follow_symlinks=False)
            Path(name).chmod(kept["mode"])
    _restore_settings(former["sysctl"])
    settle(manifest, instances, check=False)
    shutil.rmtree(STATE, ignore_errors=True)
