"""Starts QEMU: inherited descriptors only, no privileges, and a life bound to ours."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import secrets
import shlex
import stat
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import Process, end, run, spawn, which
from validate.machine.qemu import PROGRAM, unprivileged

KVM = Path("/dev/kvm")

UNPRIVILEGED = range(61184, 65520)
"""systemd's range for users that exist only while a process runs: no file on the host belongs to them."""

STDERR_LIMIT = 8000

_STARTED: dict[int, list[Process]] = {}
"""Machines by the thread that has started them."""


def anonymous(name: str, content: bytes = b"") -> int:
    """A file that has no name anywhere and vanishes with its last descriptor. Returns an open descriptor."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def nobody_else() -> int:
    """A user id that nobody has; another for each machine, so that machines cannot touch each other either."""
    while True:
        uid = secrets.choice(UNPRIVILEGED)
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return uid


def kvm_groups() -> tuple[int, ...]:
    """The group through which /dev/kvm may be opened, if there is one."""
    try:
        found = KVM.stat()
    except OSError:
        return ()
    return (found.st_gid,) if found.st_mode & stat.S_IWGRP and found.st_gid != 0 else ()


def spawn_qemu(argv: Sequence[str], fds: Sequence[int], stderr: int, events: Events) -> Process:
    """Start QEMU; as root, under a user id that owns nothing. The caller ends it."""
    if which(PROGRAM) is None:
        raise InfrastructureError(f"{PROGRAM} is not on this host", "run `nox -s doctor -- --fix`")
    vector = list(argv)
    if os.geteuid() == 0:
        vector = unprivileged(argv, uid=nobody_else(), groups=kvm_groups())
    process = spawn(vector, stdout=stderr, stderr=stderr, pass_fds=fds, cwd=Path("/"))
    running = [one for one in _STARTED.get(threading.get_ident(), ()) if one.poll() is None]
    _STARTED[threading.get_ident()] = [*running, process]
    events.emit("command", shlex.join(argv), note="started; its descriptors are inherited", pid=process.pid)
    return process


def end_started_by(threads: Iterable[int]) -> None:
    """End every machine that these threads have started, for whoever gives up on the threads' work."""
    for thread in threads:
        for process in _STARTED.pop(thread, ()):
            end(process)


@contextlib.contextmanager
def qemu(argv: Sequence[str], fds: Sequence[int], stderr: int, events: Events) -> Iterator[Process]:
    """QEMU for as long as the block lasts."""
    process = spawn_qemu(argv, fds, stderr, events)
    try:
        yield process
    finally:
        end(process)


def said(stderr: int) -> str:
    """The end of what QEMU wrote to its standard error."""
    size = os.fstat(stderr).st_size
    raw = os.pread(stderr, STDERR_LIMIT, max(0, size - STDERR_LIMIT))
    return raw.decode(errors="backslashreplace").strip()


def scratch_folder() -> Path:
    """Our private folder for what cannot be anonymous from the start; on disk, since overlays grow.

    Raises `InfrastructureError` when somebody else has put something in its place.
    """
    root = Path(os.environ.get("TMPDIR") or "/var/tmp")  # noqa: S108 - the folder below is private and checked
    if not root.is_dir():
        root = Path(tempfile.gettempdir())
    folder = root / f"dots-family-{os.geteuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise InfrastructureError(
            f"{folder}: not a private folder of ours", "remove it, or set TMPDIR to another place"
        )
    return folder


def sweep(folder: Path) -> None:
    """Remove overlays of pipelines that were killed in the moment before theirs had lost its name."""
    for path in folder.glob("overlay-*"):
        with contextlib.suppress(OSError):
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(fd)


def open_overlay(image: Path, events: Events) -> int:
    """A throw-away qcow2 disk on top of `image`, already without a name. Returns an open descriptor.

    It has a name, in our private folder, only while `qemu-img` writes its header; a lock tells a sweep of
    another pipeline that somebody is at it.
    """
    folder = scratch_folder()
    sweep(folder)
    while True:
        fd, name = tempfile.mkstemp(prefix="overlay-", dir=folder)
        fcntl.flock(fd, fcntl.LOCK_EX)
        if os.fstat(fd).st_nlink:
            break
        os.close(fd)  # swept away between its making and the lock
    try:
        base = str(image.resolve())
        run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base, name], events=events, timeout=30)
        Path(name).unlink()
    except BaseException:
        os.close(fd)
        Path(name).unlink(missing_ok=True)
        raise
    return fd
