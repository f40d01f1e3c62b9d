"""How QEMU waits for its disk: by io_uring where this host has been seen to let it, by its thread pool otherwise.

Under emulation each small read that waits for a thread of the pool costs the guest a fair part of a millisecond, and
the first walk over a cold disk is some 1500 of them. Where several machines run, the ring has halved that walk. It may
be missing in many ways (kernel, sysctl, seccomp of a container, QEMU's build, locked memory), so it is tried, not
deduced.
"""

from __future__ import annotations

import functools
import os

from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import run, which
from validate.machine import launch
from validate.machine.qemu import Aio, unprivileged

PROGRAM = "qemu-img"
"""Made from the same source as QEMU itself, and with the same block layer."""
SECONDS = 10.0
SIZE = 1 << 16


@functools.cache
def asynchronous_io(events: Events) -> Aio:
    """`io_uring` when four reads of an anonymous file through it succeed, as the kind of user that QEMU will be."""
    if which(PROGRAM) is None:
        return "threads"
    disk = launch.anonymous("proof", bytes(SIZE))
    try:
        reads = ["bench", "-q", "-i", "io_uring", "-f", "raw", "-c", "4", "-s", "4096", f"/proc/self/fd/{disk}"]
        argv = [PROGRAM, *reads]
        if os.geteuid() == 0:
            argv = unprivileged(argv, uid=launch.nobody_else(), groups=())
        done = run(argv, events=events, check=False, timeout=SECONDS, pass_fds=(disk,))
    except InfrastructureError:  # it hangs: no way to run a machine
        return "threads"
    finally:
        os.close(disk)
    return "io_uring" if done.status == 0 else "threads"
