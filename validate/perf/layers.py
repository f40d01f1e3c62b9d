"""What can be left out of a hardened machine, layer by layer: by its own boot, or on a running machine for one round.

Leaving a layer out, and not adding it alone, is what tells its share: in a hardened machine it stands among others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from harden.layers.nft import table
from harden.product import Product
from validate.machine.session import Session

DROPIN = "90-perf-without.conf"
RUN = "/run/systemd/system"

SECCOMP = """
SystemCallFilter=
SystemCallArchitectures=
RestrictNamespaces=no
RestrictAddressFamilies=
MemoryDenyWriteExecute=no
RestrictRealtime=no
RestrictSUIDSGID=no
LockPersonality=no
ProtectClock=no
ProtectKernelLogs=no
ProtectKernelModules=no
ProtectKernelTunables=no
ProtectHostname=no
PrivateDevices=no
"""
"""Every directive that puts a seccomp filter on; with one of them left, all system calls still pass by it."""

SANDBOX = """
ProtectSystem=no
ProtectHome=no
ProtectProc=default
ProcSubset=all
ProtectControlGroups=no
PrivateTmp=no
PrivateNetwork=no
PrivateIPC=no
PrivateMounts=no
KeyringMode=inherit
ReadOnlyPaths=
ReadWritePaths=
BindReadOnlyPaths=
DevicePolicy=auto
IPAddressAllow=
IPAddressDeny=
RemoveIPC=no
"""
"""Namespaces, mounts, devices and the IP filter; users, capabilities and limits stay."""

APPARMOR = "\nAppArmorProfile=\n"

KERNEL_WORDS = ("slab_merge", "page_alloc.shuffle=0")
"""Against the hardening's own words for the kernel; the last word on the command line counts. Of those that cost
something, init_on_alloc and randomize_kstack_offset are not here: Debian's kernels do both without being told."""


@dataclass(frozen=True)
class Live:
    """A layer that is left out of a running machine."""

    layer: str
    directives: str = ""
    """For a drop-in of every unit of the product."""
    unload_profiles: bool = False
    tuning: bool = False
    """The keys of production-tuning.conf go back to what the baseline has."""
    packet_filter: bool = False
    """The product's table is taken out of the kernel."""
    sysctl: Mapping[str, str] = field(default_factory=dict)
    """Keys to set."""
    parts: tuple[str, ...] = ()
    """Parts of a round that tell; empty: those of the other layers."""
    restart: bool = True
    """Whether it takes a start of the services: then a round has to begin with one, as whole rounds do."""


LIVE = (
    Live("seccomp", directives=SECCOMP),
    Live("AppArmor", directives=APPARMOR, unload_profiles=True),
    Live("sandbox", directives=SANDBOX),
    Live("packet filter", packet_filter=True),
    Live("eBPF hardening", sysctl={"net.core.bpf_jit_harden": "0"}),
    Live("sysctl tuning", tuning=True),
)

BOOTED = {"audit": ("audit=0",), "kernel parameters": KERNEL_WORDS}
"""Layers that a running kernel does not give up: what is said to it at its start instead."""

SCRIPT = """
import os, subprocess

def run(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    if done.returncode:
        raise OSError(" ".join(argv) + ": " + done.stdout[-300:].decode(errors="backslashreplace"))

def put(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)

former = {}
for path in ARGUMENT["remove"]:
    if os.path.exists(path):
        os.unlink(path)
for path, text in ARGUMENT["files"].items():
    put(path, text)
for key, value in ARGUMENT["sysctl"].items():
    path = "/proc/sys/" + key.replace(".", "/")
    with open(path) as file:
        former[key] = file.read().strip()
    with open(path, "w") as file:
        file.write(value)
for action, profile in ARGUMENT["profiles"]:
    run("apparmor_parser", action, profile)
if ARGUMENT["reload"]:
    run("systemctl", "daemon-reload")
for argv in ARGUMENT["run"]:
    run(*argv)
RESULT = former
"""


@contextmanager
def without(
    layer: Live, session: Session, product: Product, untuned: Mapping[str, str], seconds: float
) -> Iterator[None]:
    """The machine without one layer while the block lasts. `untuned`: the tuned keys as the baseline has them.

    Services take notice at their next start, with which every whole round begins. Raises `InfrastructureError` where a
    step fails, in the machine's words.
    """
    paths = [f"{RUN}/{unit.name}.d/{DROPIN}" for unit in product.units.values()] if layer.directives else []
    profiles = [f"/etc/apparmor.d/{unit.apparmor}" for unit in product.units.values() if layer.unload_profiles]
    argument = {
        "files": dict.fromkeys(paths, f"[Service]{layer.directives}"),
        "remove": [],
        "profiles": [("--remove", profile) for profile in profiles],
        "sysctl": {**layer.sysctl, **(untuned if layer.tuning else {})},
        "reload": bool(paths),
        "run": [["nft", "delete", "table", "inet", table(product)]] if layer.packet_filter else [],
    }
    former = session.python(SCRIPT, argument, timeout=seconds)
    try:
        yield
    finally:
        back = {
            "files": {},
            "remove": paths,
            "profiles": [("--replace", profile) for profile in profiles],
            "sysctl": {str(key): str(value) for key, value in dict(former).items()},
            "reload": bool(paths),
            "run": [["systemctl", "restart", f"{product.name}-egress.service"]] if layer.packet_filter else [],
        }
        session.python(SCRIPT, back, timeout=seconds)
