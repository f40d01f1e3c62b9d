"""QEMU's argument vector as a pure function of frozen settings.

A machine gets everything that is its own through inherited descriptors, never by path: the disk image
(opened read-only), the overlay (unlinked already), UEFI variables and credentials (anonymous memory), the
console and QMP (socket pairs). So there is nothing on disk or in `ps` to find, to collide with or to leave
behind, and QEMU can run as a user that owns nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PROGRAM = "qemu-system-x86_64"
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
DISK_NODE = "disk"
NETWORK = "net"
EMULATED_CPU = "max,svm=off,la57=off,avx=off,avx2=off,f16c=off,fma=off"
"""All that TCG can do, less what it does badly: no virtual machines inside the guest, no five-level page tables
(both only cost time), and no AVX. On QEMU 7.2 AVX together with `svm=off` gave guests whose mounts and sandboxed units
fail with `protocol` and EINVAL, in every boot."""

AcceleratorName = Literal["kvm", "tcg"]
Aio = Literal["threads", "io_uring"]
"""How QEMU waits for its disk: a pool of threads (always there), or the kernel's ring (see `disk_io`)."""


SAME_THREAD = tuple(word for device in ("blk", "net") for word in ("-global", f"virtio-{device}-pci.ioeventfd=off"))
"""Without KVM, the emulated processor's thread serves its disk and network itself: handing each request to another
thread and back took 7 % more for facts read from a cold disk, and 5 % more for a boot (two cores, QEMU 7.2)."""


@dataclass(frozen=True)
class Hardware:
    """What the guest sees. `memory` is in MiB."""

    accelerator: AcceleratorName
    cpus: int = 2
    memory: int = 2048
    deterministic: bool = False
    """Guest time follows executed instructions (TCG only, one thread)."""


@dataclass(frozen=True)
class Descriptors:
    """Numbers of the descriptors that QEMU inherits."""

    image: int
    overlay: int
    variables: int
    console: int
    qmp: int
    strings: tuple[int, ...] = ()
    """One for each SMBIOS string of type 11 (credentials among them)."""

    @property
    def all(self) -> tuple[int, ...]:
        """Everything to hand down."""
        return (self.image, self.overlay, self.variables, self.console, self.qmp, *self.strings)


def accelerator_arguments(hardware: Hardware) -> list[str]:
    """`-accel`, `-cpu` and the clock.

    `-cpu host` aborts without KVM.
    """
    if hardware.accelerator == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    if hardware.deterministic:
        return ["-accel", "tcg,thread=single", "-icount", "shift=1,sleep=on", "-cpu", EMULATED_CPU, *SAME_THREAD]
    return ["-accel", "tcg,thread=multi", "-cpu", EMULATED_CPU, *SAME_THREAD]


def bare_arguments() -> list[str]:
    """Nothing that the host's own configuration or QEMU's defaults would add."""
    return ["-nodefaults", "-no-user-config", "-display", "none", "-sandbox", SANDBOX]


def firmware_arguments(code: Path, variables: int) -> list[str]:
    """UEFI from two flash chips: shared code, and variables on descriptor `variables` (read and write)."""
    return [
        *("-machine", "q35,smm=off,vmport=off,pflash0=code,pflash1=variables"),
        *("-blockdev", f"driver=raw,node-name=code,read-only=on,file.driver=file,file.filename={_escaped(code)}"),
        *("-add-fd", f"fd={variables},set=1"),
        *("-blockdev", "driver=raw,node-name=variables,file.driver=file,file.filename=/dev/fdset/1"),
    ]


def disk_arguments(fds: Descriptors, aio: Aio) -> list[str]:
    """A virtio disk on an overlay that is thrown away: nothing has to reach the host's platters."""
    file = f"file.driver=file,file.aio={aio},file.filename=/dev/fdset"
    overlay = f"driver=qcow2,node-name={DISK_NODE},backing=image,cache.direct=off,cache.no-flush=on,{file}/3"
    return [
        *("-add-fd", f"fd={fds.image},set=2"),
        *("-add-fd", f"fd={fds.overlay},set=3"),
        *("-blockdev", f"driver=raw,node-name=image,read-only=on,{file}/2"),
        *("-blockdev", overlay),
        *("-device", f"virtio-blk-pci,drive={DISK_NODE},bootindex=0"),
    ]


def network_arguments() -> list[str]:
    """User-mode network that reaches nothing; one loopback port, picked by the kernel, leads to the guest's SSH."""
    return [
        *("-netdev", f"user,id={NETWORK},restrict=on,hostfwd=tcp:127.0.0.1:0-:22"),
        *("-device", f"virtio-net-pci,netdev={NETWORK},romfile="),
    ]


def arguments(name: str, hardware: Hardware, code: Path, fds: Descriptors, aio: Aio = "threads") -> list[str]:
    """Build the whole vector for one machine."""
    strings = [word for fd in fds.strings for word in ("-smbios", f"type=11,path=/proc/self/fd/{fd}")]
    return [
        PROGRAM,
        *("-name", f"guest=dots-family-{name.replace(',', '-')}"),
        *bare_arguments(),
        *accelerator_arguments(hardware),
        *("-smp", str(hardware.cpus), "-m", f"{hardware.memory}M"),
        *firmware_arguments(code, fds.variables),
        *disk_arguments(fds, aio),
        *network_arguments(),
        *("-device", "virtio-rng-pci"),
        *("-chardev", f"socket,id=console,fd={fds.console}", "-serial", "chardev:console"),
        *("-chardev", f"socket,id=qmp,fd={fds.qmp}", "-mon", "chardev=qmp,mode=control"),
        *strings,
    ]


def unprivileged(argv: Sequence[str], *, uid: int, groups: Sequence[int]) -> list[str]:
    """Run `argv` as user and group `uid` with no capability left, for when we ourselves are root.

    Changing the user clears the parent-death signal, so it is set again; setpriv does that as its last act.
    """
    listed = ["--groups", ",".join(str(group) for group in groups)] if groups else ["--clear-groups"]
    ids = ["--reuid", str(uid), "--regid", str(uid), *listed]
    caps = ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
    return ["setpriv", *ids, *caps, "--pdeathsig", "KILL", "--", *argv]


def _escaped(path: Path) -> str:
    """QEMU's option syntax doubles a comma that is meant."""
    return str(path).replace(",", ",,")
