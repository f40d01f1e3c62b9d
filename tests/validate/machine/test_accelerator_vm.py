"""The proof itself, run for real."""

from __future__ import annotations

import pytest

from results.base.errors import InfrastructureError
from results.base.events import Events
from validate.machine.accelerator import choose, prove

pytestmark = pytest.mark.vm


def test_the_proof_succeeds_where_a_guest_runs() -> None:
    """Under emulation, since every host has that: the same guest, the same word."""
    assert prove(Events(), seconds=120, accelerator="tcg").works


def test_the_proof_fails_where_a_guest_does_not_get_there() -> None:
    proof = prove(Events(), seconds=0.2, accelerator="tcg")
    assert not proof.works
    assert "did not get past its firmware" in proof.reason


def test_insisting_on_kvm_works_or_says_why_not() -> None:
    found = choose("auto", events=Events())
    if found.name == "kvm":
        assert choose("kvm", events=Events()) == found
    else:
        with pytest.raises(InfrastructureError, match="KVM does not work here: "):
            choose("kvm", events=Events())
