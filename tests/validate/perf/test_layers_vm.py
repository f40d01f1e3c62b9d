"""Each layer is really left out of a running machine, as the kernel sees it, and put back."""

from __future__ import annotations

from typing import Any

import pytest

from validate.machine.machine import Machine
from validate.perf.layers import LIVE, without
from validate.plan import Plan

LOOK = """
import os, subprocess

unit = "dots-family-daemon.service"
subprocess.run(["systemctl", "restart", unit], check=True, timeout=300)
pid = subprocess.check_output(["systemctl", "show", "-P", "MainPID", unit]).decode().strip()

def read(path):
    with open(path) as file:
        return file.read().strip()

mounts = [line.split() for line in read("/proc/" + pid + "/mountinfo").splitlines()]
RESULT = {
    "seccomp": dict(line.split(":", 1) for line in read("/proc/" + pid + "/status").splitlines())["Seccomp"].strip(),
    "AppArmor": read("/proc/" + pid + "/attr/current"),
    "sandbox": "ro" if any(one[4] == "/" and one[5].startswith("ro") for one in mounts) else "rw",
    "packet filter": "dots_family" if b"dots_family" in subprocess.check_output(["nft", "list", "tables"]) else "none",
    "eBPF hardening": read("/proc/sys/net/core/bpf_jit_harden"),
    "sysctl tuning": read("/proc/sys/vm/swappiness"),
}
"""
WHOLE = {
    "seccomp": "2",
    "AppArmor": "dots-family.daemon (enforce)",
    "sandbox": "ro",
    "packet filter": "dots_family",
    "eBPF hardening": "2",
    "sysctl tuning": "10",
}
LESS = {
    "seccomp": "0",
    "AppArmor": "unconfined",
    "sandbox": "rw",
    "packet filter": "none",
    "eBPF hardening": "0",
    "sysctl tuning": "60",
}


@pytest.mark.vm
@pytest.mark.nightly
def test_every_layer_is_left_out_alone_and_put_back(hardened_machine: Machine, plan: Plan) -> None:
    session = hardened_machine.session
    scale = hardened_machine.accelerator.time_scale

    def look() -> Any:
        return session.python(LOOK, timeout=60 * scale)

    assert look() == WHOLE
    for layer in LIVE:
        with without(layer, session, plan.product, {"vm.swappiness": "60"}, 60 * scale):
            assert look() == {**WHOLE, layer.layer: LESS[layer.layer]}
    assert look() == WHOLE
