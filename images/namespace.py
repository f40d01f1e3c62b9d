"""Runs one program as root of nowhere: in user, mount, process, IPC and host-name namespaces of its own.

Run as a script (`python3 -I namespace.py JSON`), standard library only. The JSON says:
`argv`, `environment` and `binds` (a name to the host folder that shows as /tmp/<name> inside).

Why not just chroot: packages' scripts are other people's programs. In here "root" is a user id that owns nothing on
the host, and when any process of the chain up to the pipeline dies, even by SIGKILL, the kernel ends every
process in here and takes the mounts down with them.
"""

from __future__ import annotations

import ctypes
import json
import os
import pwd
import select
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

NEW_MOUNTS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PIDS = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
IDS = 65536
ROOT_FIRST_ID = 1_000_000_000  # inside systemd's range for containers, outside every account's
NOT_POSSIBLE = 125

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Job:
    """What to run and what of the host it may see under /tmp."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    binds: Mapping[str, str]


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [None if word is None else word.encode() for word in (source, target, kind)]
    _check(_libc.mount(*words, ctypes.c_ulong(flags), data and data.encode()), f"mount {target}")


def _unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def _die_with_parent(parent: int) -> None:
    """End with SIGKILL when the parent does. Changing ids clears this, so it is set again after each change."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(NOT_POSSIBLE)


def subordinate_range(text: str, names: Sequence[str]) -> int | None:
    """First id of the first range of at least 65536 ids that /etc/subuid (or subgid) gives one of `names`."""
    for line in text.splitlines():
        fields = line.strip().split(":")
        if len(fields) == 3 and fields[0] in names and fields[2].isdigit() and int(fields[2]) >= IDS:
            return int(fields[1])
    return None


def _first_id(file: str) -> int:
    user = os.geteuid()
    try:
        names = (pwd.getpwuid(user).pw_name, str(user))
    except KeyError:
        names = (str(user), str(user))
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError:
        text = ""
    first = subordinate_range(text, names)
    if first is None and user == 0:
        return ROOT_FIRST_ID
    if first is None:
        raise OSError(0, f"{file} gives {names[0]} no range of {IDS} ids")
    return first


def _write_maps(pid: int) -> None:
    """Map ids 0..65535 of the child's user namespace to ids that own nothing here."""
    for kind in ("uid", "gid"):
        first = _first_id(f"/etc/sub{kind}")
        if os.geteuid() == 0:
            Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {first} {IDS}\n", encoding="ascii")
            continue
        tool = shutil.which(f"new{kind}map")
        if tool is None:
            raise OSError(0, f"new{kind}map is not installed (Debian package uidmap)")
        argv = [tool, str(pid), "0", str(first), str(IDS)]
        if os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(tool, argv, os.environ), 0)[1]) != 0:
            raise OSError(0, f"new{kind}map refused the ids that /etc/sub{kind} names")


def _open(binds: Mapping[str, str]) -> dict[str, int]:
    """Open the folders while we still are who may reach them."""
    return {name: os.open(folder, os.O_PATH | os.O_DIRECTORY) for name, folder in binds.items()}


def _arrange(opened: Mapping[str, int]) -> None:
    """Hide the host's /tmp behind an empty one that holds only the folders of the job."""
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    _mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777")  # noqa: S108 - of this namespace only
    for name, descriptor in opened.items():
        target = f"/tmp/{name}"  # noqa: S108
        Path(target).mkdir()
        os.fchdir(descriptor)
        _mount(".", target, None, MS_BIND)
        os.close(descriptor)
    os.chdir("/")


def _become_init(job: Job, alive: int) -> NoReturn:
    """As process 1 of the new process namespace: see only its own processes, then be the program."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent has no id in here; the pipe that it holds open tells whether it was gone before that call.
    if select.select([alive], [], [], 0)[0]:
        os._exit(NOT_POSSIBLE)
    try:
        _mount("proc", "/proc", "proc", 0)
    except OSError as error:  # a container's /proc that is partly masked may not be mounted anew
        sys.stderr.write(f"W: {error}\n")
    os.chdir("/")
    os.umask(0o022)
    try:
        os.execvpe(job.argv[0], list(job.argv), dict(job.environment))  # noqa: S606 - there is no shell to want
    except OSError as error:
        sys.stderr.write(f"E: {job.argv[0]}: {error}\n")
        os._exit(NOT_POSSIBLE)


def _inside(job: Job, ready: int, go: int, parent: int) -> int:
    """In the child: enter the namespaces, become their root, run the program and return its status."""
    _die_with_parent(parent)
    everything = NEW_USER | NEW_MOUNTS | NEW_PIDS | NEW_IPC | NEW_UTS
    privileged = os.geteuid() == 0
    if privileged:  # while still the host's root, which reaches folders that nobody else may
        _unshare(NEW_MOUNTS)
        _arrange(_open(job.binds))
    _unshare(everything)
    os.write(ready, b"r")
    if os.read(go, 1) != b"g":
        return NOT_POSSIBLE
    opened = {} if privileged else _open(job.binds)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    if not privileged:
        _arrange(opened)
    _die_with_parent(parent)
    alive, held = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(held)
        _become_init(job, alive)
    return os.waitstatus_to_exitcode(os.waitpid(init, 0)[1])


def run(job: Job) -> int:
    """Run the job; its exit status, or 125 when the namespaces cannot be had (said on standard error)."""
    ready_read, ready_write = os.pipe()
    go_read, go_write = os.pipe()
    me = os.getpid()
    child = os.fork()
    if child == 0:
        status = NOT_POSSIBLE
        try:
            os.close(ready_read)
            os.close(go_write)
            status = _inside(job, ready_write, go_read, me)
        except OSError as error:
            sys.stderr.write(f"E: namespaces: {error.strerror or error}\n")
        finally:
            os._exit(status if status >= 0 else 128 - status)
    os.close(ready_write)
    os.close(go_read)
    if os.read(ready_read, 1) == b"r":
        try:
            _write_maps(child)
            os.write(go_write, b"g")
        except OSError as error:
            sys.stderr.write(f"E: namespaces: {error.strerror or error}\n")
    os.close(go_write)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    wanted = json.loads(sys.argv[1])
    sys.exit(run(Job(tuple(wanted["argv"]), wanted["environment"], wanted["binds"])))
