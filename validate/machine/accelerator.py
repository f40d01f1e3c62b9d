"""Which accelerator: KVM only where it has been proved by running a stock guest, TCG otherwise, with the reason.

`/dev/kvm` can exist, create machines and run a few instructions, and still never carry a real guest. The
proof is the firmware that every machine of ours starts with anyway: OVMF goes through real mode, long mode,
paging, MSRs, CPUID and timer interrupts before it says on the console that it looks for something to boot.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from results.base.deadline import Deadline
from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import run, which
from validate.machine import launch
from validate.machine.firmware import firmware
from validate.machine.qemu import PROGRAM, AcceleratorName, Hardware, accelerator_arguments, bare_arguments
from validate.machine.qemu import firmware_arguments as uefi

Requested = Literal["auto", "kvm", "tcg"]

TOKEN = b"BdsDxe"
"""The firmware's boot device selection speaks: all earlier phases have run."""

PROOF_SECONDS = 8.0
"""A working KVM needs one or two."""

SAFE_SMP = (8, 1)
"""QEMU before 8.1 may run stale translations of code that the guest patches while another of its CPUs runs it.
Linux does that all the time (static keys, tracepoints, BPF): the guest dies of `Oops: int3`, the oftener the busier
the host is. Debian 12 has 7.2."""

DOUBT = 3600.0
"""Seconds for which a proof that failed is not tried again."""

TCG_SCALE = 6.0
"""How much longer everything may take under emulation."""


@dataclass(frozen=True)
class Accelerator:
    """The accelerator of a machine, why this one, and by what every time limit is stretched."""

    name: AcceleratorName
    reason: str
    time_scale: float
    most_cpus: int = 8
    """More than this many CPUs do a guest no good here."""


@dataclass(frozen=True)
class Proof:
    """Whether KVM carries a guest on this host, and what was seen."""

    works: bool
    reason: str


def choose(requested: str = "auto", *, events: Events) -> Accelerator:
    """Choose as asked. Raises `InfrastructureError` when `kvm` was insisted on and is not proved."""
    chosen = decide(requested, lambda: proved(events), lambda: qemu_version(events))
    events.emit("note", f"accelerator: {chosen.name} ({chosen.reason})")
    return chosen


def decide(
    requested: str, proof: Callable[[], Proof], version: Callable[[], tuple[int, int]] = lambda: SAFE_SMP
) -> Accelerator:
    """Decide; `proof` and QEMU's `version` are asked for only where they matter."""
    if requested == "tcg":
        return emulated("asked for", version())
    seen = proof()
    if seen.works:
        return Accelerator("kvm", seen.reason, 1.0)
    if requested == "kvm":
        raise InfrastructureError(
            f"--accel kvm: KVM does not work here: {seen.reason}", "--accel auto or tcg go on without it"
        )
    return emulated(seen.reason, version())


def emulated(reason: str, version: tuple[int, int]) -> Accelerator:
    """TCG; with one CPU where QEMU is too old for more."""
    if version >= SAFE_SMP:
        return Accelerator("tcg", reason, TCG_SCALE)
    number = ".".join(str(part) for part in version)
    return Accelerator("tcg", f"{reason}; one CPU, because QEMU {number} crashes guests with more", TCG_SCALE, 1)


def qemu_version(events: Events) -> tuple[int, int]:
    """Major and minor number; (0, 0) when QEMU does not say."""
    said = run([PROGRAM, "--version"], events=events, timeout=30, hint="run `nox -s doctor -- --fix`").text
    found = re.search(r"version (\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def proved(events: Events, device: Path = launch.KVM) -> Proof:
    """Look at the device, then at what an earlier proof found since the host was started, then run the guest."""
    if not device.exists():
        return Proof(works=False, reason=f"there is no {device}")
    if not os.access(device, os.R_OK | os.W_OK):
        return Proof(works=False, reason=f"{device}: no permission (is the user in group kvm?)")
    cache = _cache_file()
    known = recall(cache, _key())
    if known is not None:
        return known
    proof = prove(events)
    remember(cache, _key(), proof)
    return proof


def prove(events: Events, *, seconds: float = PROOF_SECONDS, accelerator: AcceleratorName = "kvm") -> Proof:
    """Run the firmware for at most `seconds`, and see whether it gets to its boot device selection."""
    found = firmware()
    deadline = Deadline.after(seconds, "proof of KVM")
    with contextlib.ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        stack.enter_context(theirs)
        variables = launch.anonymous("variables", found.variables.read_bytes())
        stack.callback(os.close, variables)
        stderr = launch.anonymous("stderr")
        stack.callback(os.close, stderr)
        argv = [
            PROGRAM,
            *bare_arguments(),
            *accelerator_arguments(Hardware(accelerator)),
            *("-smp", "2", "-m", "256M", "-no-reboot"),
            *uefi(found.code, variables),
            *("-chardev", f"socket,id=console,fd={theirs.fileno()}", "-serial", "chardev:console"),
        ]
        process = stack.enter_context(launch.qemu(argv, (theirs.fileno(), variables), stderr, events))
        theirs.close()
        if _hears(ours, deadline):
            took = seconds - deadline.left()
            return Proof(works=True, reason=f"/dev/kvm ran a guest ({took:.1f} s to the firmware's boot selection)")
        if deadline.passed():
            return Proof(works=False, reason=f"/dev/kvm: a guest did not get past its firmware within {seconds:.0f} s")
        process.wait(2)
        last = (launch.said(stderr).splitlines() or [f"status {process.returncode}"])[0]
        return Proof(works=False, reason=f"/dev/kvm: QEMU gave up: {last[:200]}")


def _hears(console: socket.socket, deadline: Deadline) -> bool:
    """Whether the token comes before the deadline, and before the other end closes."""
    heard = bytearray()
    while not deadline.passed():
        console.settimeout(max(0.01, deadline.left()))
        try:
            chunk = console.recv(4096)
        except TimeoutError:
            return False
        except OSError:
            chunk = b""
        heard += chunk
        if TOKEN in heard:
            return True
        if not chunk or len(heard) > 1 << 20:
            return False
    return False


def _key() -> str:
    """What a proof holds for: this boot of the host, and this QEMU."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    program = Path(which(PROGRAM) or PROGRAM).resolve()
    with contextlib.suppress(OSError):
        found = program.stat()
        return f"{boot} {program} {found.st_size} {found.st_mtime_ns}"
    return boot


def _cache_file() -> Path:
    folder = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(folder, "dots-family", f"kvm-proof-{os.geteuid()}.json")


def recall(cache: Path, key: str) -> Proof | None:
    """An earlier proof under the same key, or None; whatever else the file says is as good as none.

    That it works is good until the host's next boot; that it does not is looked at again after `DOUBT` seconds,
    for the host may only have been too busy.
    """
    with contextlib.suppress(OSError, ValueError, RecursionError):
        data = json.loads(cache.read_bytes())
        if isinstance(data, dict) and data.get("key") == key and cache.stat().st_uid == os.geteuid():
            works, reason = data.get("works"), data.get("reason")
            age = time.time() - cache.stat().st_mtime
            if isinstance(works, bool) and isinstance(reason, str) and (works or 0 <= age < DOUBT):
                return Proof(works, reason)
    return None


def remember(cache: Path, key: str, proof: Proof) -> None:
    """Keep a proof; not being able to is no error."""
    with contextlib.suppress(OSError):
        cache.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = cache.with_suffix(f".{os.getpid()}")
        part.touch(mode=0o600)
        part.write_text(json.dumps({"key": key, **asdict(proof)}), encoding="utf-8")
        part.replace(cache)
