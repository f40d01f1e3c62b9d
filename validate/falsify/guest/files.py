"""Sabotage of files. Every function takes the root that paths lie under, and the change as it was sent."""

from __future__ import annotations

import glob
import os
import pwd
import shutil
import stat
import struct
from collections.abc import Callable
from grp import getgrnam
from pathlib import Path
from typing import Any

Change = dict[str, Any]
ENTRIES = ("/boot/efi/loader/entries", "/boot/loader/entries", "/efi/loader/entries")
VFS_CAP_REVISION_2 = 0x02000000
CAP_SYS_CHROOT = 18


def below(root: str, path: str) -> Path:
    """Where `path` lies for the operating system."""
    return Path(root) / path.lstrip("/")


def put(path: Path, content: bytes, mode: int | None = None) -> None:
    """Write a file whole, so that a program that runs from it goes on; owner and mode stay unless `mode` is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        former = path.stat()
    except FileNotFoundError:
        former = None
    part = path.with_name(f".{path.name}.falsify")
    part.write_bytes(content)
    if former:
        os.chown(part, former.st_uid, former.st_gid)
    kept = stat.S_IMODE(former.st_mode) if former else 0o644
    part.chmod(kept if mode is None else mode)
    part.rename(path)


def write(root: str, change: Change) -> None:
    """`write`."""
    put(below(root, change["path"]), change["content"].encode(), int(change["mode"], 8))


def append(root: str, change: Change) -> None:
    """`append`: what is there stays, so several of a group add up."""
    path = below(root, change["path"])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(change["content"].encode())


def edit(root: str, change: Change) -> None:
    """`edit`. Raises `ValueError` where the file has no such text."""
    _replace(below(root, change["path"]), change["old"].encode(), change["new"].encode())


def garble(root: str, change: Change) -> None:
    """`garble`. Raises `ValueError` where the file has no such text."""
    text = change["text"].encode()
    _replace(below(root, change["path"]), text, (b"Y" if text[:1] == b"X" else b"X") + text[1:])


def _replace(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    if old not in content:
        raise ValueError(f"{path} does not hold {old.decode()!r}")
    put(path, content.replace(old, new))


def remove(root: str, change: Change) -> None:
    """`remove`."""
    path = below(root, change["path"])
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def chmod(root: str, change: Change) -> None:
    """`chmod`: every match of the glob. Raises `ValueError` where nothing matches."""
    matches = sorted(glob.glob(str(below(root, change["path"]))))  # noqa: PTH207 - as absolute as it was given
    if not matches:
        raise ValueError(f"nothing matches {change['path']}")
    owner = pwd.getpwnam(change["owner"]).pw_uid if change["owner"] else -1
    group = getgrnam(change["group"]).gr_gid if change["group"] else -1
    for match in matches:
        if (owner, group) != (-1, -1):
            os.chown(match, owner, group)
        if change["mode"]:
            os.chmod(match, int(change["mode"], 8))  # noqa: PTH101 - last: giving a file away clears set-uid bits


def file_capability(root: str, change: Change) -> None:
    """`file_capability`: one permitted capability, in the form that the kernel checks."""
    value = struct.pack("<5I", VFS_CAP_REVISION_2, 1 << CAP_SYS_CHROOT, 0, 0, 0)
    os.setxattr(below(root, change["path"]), "security.capability", value)


def drop_in(root: str, change: Change) -> None:
    """`drop_in`: added to one file that sorts behind all others."""
    lines = [f"[{change['section']}]", *(f"{name}={value}" for name, value in change["directives"].items())]
    path = f"/etc/systemd/system/{change['unit']}.d/zz-falsify.conf"
    append(root, {"path": path, "content": "\n".join(lines) + "\n"})


def account(root: str, change: Change) -> None:
    """`account`. Raises `ValueError` for a user that is not there."""
    user = change["user"]
    if change["password"] is not None:
        _fields(below(root, "/etc/passwd"), user, {1: "x"})
        _fields(below(root, "/etc/shadow"), user, {1: change["password"]})
    if change["shell"]:
        _fields(below(root, "/etc/passwd"), user, {6: change["shell"]})
    if change["group"]:
        _member(below(root, "/etc/group"), change["group"], user)


def _fields(path: Path, name: str, values: dict[int, str]) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        fields = line.split(":")
        if fields[0] == name:
            lines[index] = ":".join(values.get(place, field) for place, field in enumerate(fields))
            put(path, ("\n".join(lines) + "\n").encode())
            return
    raise ValueError(f"{path} has no {name!r}")


def _member(path: Path, group: str, user: str) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    for index, line in enumerate(lines):
        if line.startswith(f"{group}:"):
            lines[index] = line + ("" if line.endswith(":") else ",") + user
            put(path, ("\n".join(lines) + "\n").encode())
            return
    raise ValueError(f"{path} has no {group!r}")


def kernel_words(root: str, change: Change) -> None:
    """`kernel_words`, in every entry of the boot loader. Raises `ValueError` where there is none."""
    entries = [path for folder in ENTRIES for path in sorted(below(root, folder).glob("*.conf"))]
    if not entries:
        raise ValueError("there is no entry of a boot loader")
    for path in entries:
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join(_words(line, change) for line in lines) + "\n", encoding="utf-8")


def _words(line: str, change: Change) -> str:
    key, _, rest = line.partition(" ")
    if key != "options":
        return line
    return " ".join([key, *(word for word in rest.split() if word not in change["remove"]), *change["add"]])


KINDS: dict[str, Callable[[str, Change], None]] = {
    "write": write,
    "append": append,
    "edit": edit,
    "garble": garble,
    "remove": remove,
    "chmod": chmod,
    "file_capability": file_capability,
    "drop_in": drop_in,
    "account": account,
    "kernel_words": kernel_words,
}
