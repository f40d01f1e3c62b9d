"""Which accelerator, given what the proof saw; and what the proof makes of a host."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from results.base.errors import InfrastructureError
from results.base.events import Events
from validate.machine import accelerator
from validate.machine.accelerator import Proof, choose, decide, proved, recall, remember
from validate.machine.settings import MachineSettings

WORKS = Proof(works=True, reason="/dev/kvm ran a guest")
HANGS = Proof(works=False, reason="/dev/kvm: a guest did not get past its firmware within 8 s")


def never() -> Proof:
    raise AssertionError("nobody should ask for a proof")


def test_tcg_needs_no_proof() -> None:
    assert decide("tcg", never).name == "tcg"


def test_auto_takes_kvm_only_when_proved() -> None:
    assert decide("auto", lambda: WORKS).name == "kvm"
    fallen = decide("auto", lambda: HANGS)
    assert (fallen.name, fallen.reason) == ("tcg", HANGS.reason)
    assert fallen.time_scale > decide("auto", lambda: WORKS).time_scale == 1


def test_an_old_qemu_emulates_one_cpu_only() -> None:
    old = decide("auto", lambda: HANGS, lambda: (7, 2))
    assert (old.most_cpus, MachineSettings(old).fitted().cpus) == (1, 1)
    assert old.reason == f"{HANGS.reason}; one CPU, because QEMU 7.2 crashes guests with more"
    assert MachineSettings(decide("tcg", never, lambda: (10, 0))).fitted().cpus == 2
    assert MachineSettings(decide("auto", lambda: WORKS, lambda: (7, 2))).fitted().cpus == 2
    assert MachineSettings(decide("auto", lambda: WORKS), deterministic=True).hardware.cpus == 1


def test_kvm_insists() -> None:
    assert decide("kvm", lambda: WORKS).name == "kvm"
    with pytest.raises(InfrastructureError, match="did not get past its firmware") as caught:
        decide("kvm", lambda: HANGS)
    assert caught.value.exit_code == 3


def test_no_device_and_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no" in proved(Events(), tmp_path / "kvm").reason
    (tmp_path / "kvm").touch()
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "no permission" in proved(Events(), tmp_path / "kvm").reason


def test_a_proof_is_made_once_for_each_boot_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "kvm").touch()
    made: list[Proof] = []

    def prove(_: Events) -> Proof:
        made.append(HANGS)
        return HANGS

    monkeypatch.setattr(accelerator, "prove", prove)
    for _ in range(3):
        assert proved(Events(), tmp_path / "kvm") == HANGS
    assert len(made) == 1
    monkeypatch.setattr(accelerator, "_key", lambda: "another boot")
    proved(Events(), tmp_path / "kvm")
    assert len(made) == 2


def test_the_cache_is_private_and_never_trusted_blindly(tmp_path: Path) -> None:
    cache = tmp_path / "folder" / "proof.json"
    remember(cache, "key", WORKS)
    assert cache.stat().st_mode & 0o077 == 0
    assert recall(cache, "key") == WORKS
    assert recall(cache, "other") is None
    remember(cache, "key", HANGS)
    assert recall(cache, "key") == HANGS
    os.utime(cache, (1, 1))
    assert recall(cache, "key") is None
    for hostile in (b"", b"[]", b'{"key": "key", "works": "yes", "reason": 1}', b"[" * 100_000, b"\xff"):
        cache.write_bytes(hostile)
        assert recall(cache, "key") is None


def test_the_choice_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(accelerator, "proved", lambda _: HANGS)
    monkeypatch.setattr(accelerator, "qemu_version", lambda _: (10, 0))
    choose("auto", events=Events(lambda event: told.append(event.text)))
    assert told[-1:] == [f"accelerator: tcg ({HANGS.reason})"]
