"""The declared probes: whole, consistent, and pointing at what exists."""

from __future__ import annotations

import pytest

from harden.catalogue import load_catalogue
from harden.product import load_product
from results.base.errors import UsageError
from validate.probes.catalogue import LAST, probes

KINDS = {"positive", "attack"}
IDENTITIES = {"child", "parent", "user", "daemon", "filter", "monitor", "remote", "operator", "root"}


def test_enough_of_both_kinds() -> None:
    assert sum(one.kind == "attack" for one in probes()) >= 50
    assert sum(one.kind == "positive" for one in probes()) >= 12


def test_every_reference_exists() -> None:
    known = {one.id: one for one in probes()}
    controls = {one.id for one in load_catalogue().controls}
    for one in known.values():
        assert one.kind in KINDS
        assert one.identity in IDENTITIES
        assert set(one.controls) <= controls, one.id
        if one.positive:
            assert known[one.positive].kind == "positive", one.id
        assert one.sandbox in {"", *load_product().units}


def test_uses_name_no_control_and_sandboxed_attacks_have_a_use_in_the_same_sandbox() -> None:
    known = {one.id: one for one in probes()}
    for one in known.values():
        if one.kind == "positive":
            assert not one.controls
        elif one.sandbox:
            assert known[one.positive].sandbox == one.sandbox


def test_what_disturbs_runs_last_and_sandboxes_run_together() -> None:
    order = [one.id for one in probes()]
    assert tuple(order[-len(LAST) :]) == LAST
    sandboxes = [one.sandbox for one in probes() if one.sandbox]
    assert sandboxes == sorted(sandboxes)


def test_unknown_selection_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no\.such"):
        probes(["use.child-asks", "no.such"])
    assert [one.id for one in probes(["use.child-asks"])] == ["use.child-asks"]
