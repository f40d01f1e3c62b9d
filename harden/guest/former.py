"""The former state: kept before the first change, put back on failure and on demand.

`progress` lies beside it from before the first change until the last: a start that finds it knows that an earlier
one was broken off, by kill -9 or by a power cut, and puts the former state back.

An apply on a machine that is hardened already keeps a second state, `again`: what it breaks goes back to that, and
`revert` still goes back to the machine that was not hardened.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

from harden.guest.activate import audit_is_locked, set_timers, settle
from harden.guest.manifest import HOME, LOADER_ENTRIES, STATE, Manifest, kept
from harden.guest.packets import load_rules, missing_groups, remove_groups, remove_rules
from harden.guest.system import BrokenError, proc_sys, run, say, unfinished, write

COMPLETE = STATE / "complete"
"""Made last: without it, what lies there is a rest of an interrupted run."""
PROGRESS = STATE / "progress"
AGAIN = STATE / "again"
BALLAST = STATE / "ballast"
"""Room that is given back before the former state comes back: a disk that is full must not stop that."""
BALLAST_BYTES = 2 << 20
GENERATED = tuple(Path("/etc") / name for name in ("audit/audit.rules", "audit/audit.rules.prev", "group-", "gshadow-"))
"""Made by augenrules out of the files that we write, and by groupadd, which keeps the list of before."""
TOOLS = (f"{HOME}/", "/usr/sbin/", "/usr/lib/systemd/system/")
"""Where the package puts what `apply` would put there too."""
MONITORS = ("/var/lib/dots-family-security-monitor",)
"""Folders that the tools keep their own notes in."""


def note(step: str, instances: list[str]) -> None:
    """Say on the disk how far it has come, and which instances have to run again."""
    content = json.dumps({"step": step, "instances": instances}).encode()
    write(PROGRESS, content, 0o600, os.geteuid(), os.getegid())


def finished() -> None:
    """All of it is in force."""
    os.sync()
    PROGRESS.unlink()
    discard(AGAIN)


def broken_off() -> str:
    """The step at which an earlier start was broken off; empty when there was none."""
    if not (COMPLETE.exists() and PROGRESS.exists()):
        return ""
    try:
        return str(json.loads(PROGRESS.read_text(encoding="utf-8"))["step"])
    except (OSError, ValueError, KeyError, TypeError):
        return "an unknown step"


def recover() -> bool:
    """Put the former state back if an earlier start was broken off; whether there was one."""
    step = broken_off()
    if not step:
        return False
    say(f"an earlier start was broken off at: {step}; the former state is being restored")
    try:
        instances = [str(one) for one in json.loads(PROGRESS.read_text(encoding="utf-8"))["instances"]]
    except (OSError, ValueError, KeyError, TypeError):
        instances = []
    restore(instances)
    say("restored: this machine is as it was before")
    return True


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


def _folders_to_come(manifest: Manifest) -> list[Path]:
    """Folders that writing the files will make."""
    above = {folder for entry in manifest.files for folder in entry.path.parents}
    return sorted(folder for folder in above if not folder.exists())


def discard(folder: Path) -> None:
    """Forget a kept state: at once, so that no half of it is ever taken for the whole."""
    gone = folder.with_name(f"{folder.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    if folder.exists():
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def _keep(folder: Path, manifest: Manifest, also: list[Path]) -> None:
    """Keep the state of everything that `manifest` touches, and the files `also`."""
    files: dict[str, dict[str, int] | None] = {}
    for path in [*(entry.path for entry in manifest.files), *sorted(LOADER_ENTRIES.glob("*.conf")), *also]:
        files[str(path)] = _owner(path) if path.exists() else None
        if path.exists():
            copy = folder / "files" / path.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    former = {
        "files": files,
        "groups": missing_groups(manifest),
        "folders": [str(path) for path in _folders_to_come(manifest)],
        "owners": {str(path): _owner(path) for path in _owned_paths(manifest)},
        "sysctl": {name: proc_sys(name).read_text(encoding="ascii").strip() for name in manifest.sysctl_names()},
    }
    (folder / "former.json").write_text(json.dumps(former, indent=1), encoding="utf-8")


def _written(manifest: Manifest) -> bytes:
    """The manifest of what is applied, for later starts and for the monitor."""
    data = json.loads((manifest.folder / "manifest.json").read_text(encoding="utf-8"))
    paths = {str(entry.path) for entry in manifest.files}
    data.update(files=[one for one in data["files"] if one["path"] in paths], without=list(manifest.without))
    return json.dumps(data, indent=1).encode()


def back_up(manifest: Manifest) -> None:
    """Keep the former state, before anything is touched."""
    first = not COMPLETE.exists()
    folder = STATE if first else AGAIN
    discard(folder)
    folder.mkdir(parents=True, mode=0o700)
    if not BALLAST.exists():
        with BALLAST.open("wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, BALLAST_BYTES)
    also = [*GENERATED] if first else [*GENERATED, STATE / "former.json", STATE / "manifest.json"]
    _keep(folder, manifest, also)
    if first:
        (folder / "manifest.json").write_bytes(_written(manifest))
        note("the former state is kept", [])
    os.sync()
    (folder / "complete").touch()


def extend(manifest: Manifest) -> None:
    """What this apply touches and the first one did not, goes into the state that `revert` restores."""
    if not (AGAIN / "complete").exists():
        return
    known = json.loads((STATE / "former.json").read_text(encoding="utf-8"))
    newer = json.loads((AGAIN / "former.json").read_text(encoding="utf-8"))
    own = {str(STATE / name) for name in ("former.json", "manifest.json")}
    for name, former in newer["files"].items():
        if name not in known["files"] and name not in own:
            known["files"][name] = former
            if former:
                copy = (AGAIN / "files" / Path(name).relative_to("/")).read_bytes()
                write(STATE / "files" / Path(name).relative_to("/"), copy, 0o600, os.geteuid(), os.getegid())
    known["folders"] = sorted({*known["folders"], *newer["folders"]})
    for part in ("owners", "sysctl"):
        known[part] = {**newer[part], **known[part]}
    for name, content in (("former.json", json.dumps(known, indent=1).encode()), ("manifest.json", _written(manifest))):
        write(STATE / name, content, 0o600, os.geteuid(), os.getegid())


def _restore_files(kept_in: Path, files: dict[str, dict[str, int] | None], folders: list[str]) -> None:
    for name, former in files.items():
        path = Path(name)
        unfinished(path).unlink(missing_ok=True)
        if former:
            content = (kept_in / "files" / path.relative_to("/")).read_bytes()
            # What is as it was is left alone: a full disk, or one that is only read, has nothing against that.
            if not path.is_file() or path.read_bytes() != content or _owner(path) != former:
                write(path, content, former["mode"], former["uid"], former["gid"])
        else:
            path.unlink(missing_ok=True)
    for name in sorted(folders, reverse=True):
        with contextlib.suppress(OSError):  # somebody else's files are in it
            Path(name).rmdir()


def _reload(manifest: Manifest) -> None:
    """Profiles and audit rules of the former state; those that are locked wait for the next boot."""
    for entry in manifest.under("/etc/apparmor.d"):
        if entry.path.exists():
            run("apparmor_parser", "--replace", str(entry.path), check=False)
    if manifest.under("/etc/audit"):
        try:
            run("augenrules", *([] if audit_is_locked() else ["--load"]), check=False)
        except BrokenError as error:
            say(f"the former audit rules come back with the next boot: {error}")


def _restore_settings(settings: dict[str, str]) -> None:
    for name, value in settings.items():
        if proc_sys(name).read_text(encoding="ascii").strip() == value:
            continue
        try:
            proc_sys(name).write_text(value, encoding="ascii")
        except OSError:
            say(f"{name} goes back to {value!r} with the next boot: the kernel has locked it")


def _tidy() -> None:
    """What the tools have made while they ran: nobody else has a use for it."""
    for cache in sorted(HOME.rglob("__pycache__")):
        shutil.rmtree(cache, ignore_errors=True)
    for name in MONITORS:
        shutil.rmtree(name, ignore_errors=True)
    for stamp in Path("/var/lib/systemd/timers").glob("stamp-dots-family-security-*.timer"):
        stamp.unlink(missing_ok=True)


def restore(instances: list[str], *, reverting: bool = False) -> None:
    """The former state again, as far as a running kernel gives it back; the rest comes with the next boot.

    After a failed apply that is the state right before it; `reverting` goes back to the machine that was not
    hardened. `instances` of the product's templates are running again at the end.
    """
    if reverting:
        discard(AGAIN)
    again = (AGAIN / "complete").exists()
    folder = AGAIN if again else STATE
    former: dict[str, Any] = json.loads((folder / "former.json").read_text(encoding="utf-8"))
    if (STATE / "tool").exists():  # the package is gone, and what it brought goes with it
        former["files"] = {name: None if name.startswith(TOOLS) else one for name, one in former["files"].items()}
    manifest = kept(STATE)
    BALLAST.unlink(missing_ok=True)
    if not PROGRESS.exists():  # what was broken off stays noted: its disk may be too full for another word
        note("restoring", instances)
    set_timers(on=False)
    run("systemctl", "stop", *instances, *manifest.units, check=False)
    for entry in manifest.under("/etc/apparmor.d"):
        if entry.path.exists():
            run("apparmor_parser", "--remove", str(entry.path), check=False)
    remove_rules(manifest)
    if not again:
        _tidy()
    remove_groups(former.get("groups", []))  # first, since groupdel writes files that come back next
    _restore_files(folder, former["files"], former.get("folders", []))
    _reload(manifest)
    for name, owner in former["owners"].items():
        if os.path.lexists(name) and not Path(name).is_symlink():
            os.chown(name, owner["uid"], owner["gid"], follow_symlinks=False)
            Path(name).chmod(owner["mode"])
    _restore_settings(former["sysctl"])
    settle(manifest, instances, check=False)
    if again:
        load_rules(manifest, check=False)
        set_timers(on=True)
        finished()
    else:
        discard(STATE)
