"""Declaring, running and recording a probe."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from validate.guest import outside, probing, runner
from validate.guest.dbus import BusError
from validate.guest.probing import Attempt, World, probe, stopped, tried, worked

WORLD = World({"units": {"monitor": {"name": "m@.service"}}}, {"child": "kim"})


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, probing.Spec]:
    empty: dict[str, probing.Spec] = {}
    monkeypatch.setattr(probing, "REGISTRY", empty)
    monkeypatch.setattr(runner, "REGISTRY", empty)
    monkeypatch.setattr(outside, "network", nobody)  # this host gets no namespaces and no wires
    return empty


def nobody() -> None:
    raise OSError("there is no host outside")


def declare(name: str, act: object, kind: str = "attack", seconds: float = 5) -> None:
    def attempt(_: World) -> Attempt:
        assert callable(act)
        result = act()
        assert isinstance(result, Attempt)
        return result

    probe(name, name, "try", identity="root", kind=kind, seconds=seconds)(attempt)


def answer(name: str) -> dict[str, object]:
    return runner.run(WORLD, [name], "", ())[0]


def raises(error: Exception) -> Attempt:
    raise error


def test_results_and_evidence(registry: dict[str, probing.Spec]) -> None:
    declare("good", lambda: worked("seen"))
    declare("bad", lambda: stopped("EPERM"))
    assert (answer("good")["succeeded"], answer("good")["evidence"]) == (True, ["seen"])
    assert (answer("bad")["succeeded"], answer("bad")["message"]) == (False, "")


def test_an_attack_that_breaks_is_neither(registry: dict[str, probing.Spec]) -> None:
    declare("broken", lambda: raises(PermissionError(13, "no")))
    assert answer("broken")["succeeded"] is None
    assert "PermissionError" in str(answer("broken")["message"])


def test_a_use_that_is_refused_has_failed(registry: dict[str, probing.Spec]) -> None:
    declare("refused", lambda: raises(BusError("org.x.AccessDenied", "no")), kind="positive")
    assert answer("refused")["succeeded"] is False
    declare("bug", lambda: raises(KeyError("x")), kind="positive")
    assert answer("bug")["succeeded"] is None


def test_a_seccomp_kill_is_a_stop(registry: dict[str, probing.Spec]) -> None:
    def forbidden() -> Attempt:
        os.kill(os.getpid(), signal.SIGSYS)
        return worked()

    declare("sigsys", forbidden)
    assert answer("sigsys")["succeeded"] is False
    assert "SIGSYS" in str(answer("sigsys")["evidence"])


def test_evidence_is_bounded(registry: dict[str, probing.Spec]) -> None:
    declare("talkative", lambda: worked(*["x" * 10_000] * 5_000))
    lines = answer("talkative")["evidence"]
    assert isinstance(lines, list)
    assert len(lines) == probing.EVIDENCE_LINES
    assert {len(line) for line in lines} == {probing.EVIDENCE_WIDTH}


def test_one_name_one_probe(registry: dict[str, probing.Spec]) -> None:
    declare("twice", worked)
    with pytest.raises(ValueError, match="twice"):
        declare("twice", worked)


def test_tried_tells_who_said_no() -> None:
    def fail(error: Exception) -> None:
        raise error

    assert tried("x", lambda: fail(OSError(errno.EACCES, "Permission denied"))) == (
        False,
        ("x: EACCES (Permission denied)",),
    )
    assert tried("x", lambda: fail(BusError("a.b", "c"))) == (False, ("x: a.b: c",))
    assert tried("x", lambda: 5) == (True, ("x: done, got 5",))
    with pytest.raises(ValueError, match="bug"):
        tried("x", lambda: fail(ValueError("bug")))


def test_a_template_means_the_childs_instance() -> None:
    assert WORLD.unit("monitor") == "m@kim.service"


def test_a_process_of_the_monitor_is_the_child_with_one_more_group(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(probing, "run_as", lambda user, *_, group, **__: asked.append((user, group)))
    world = World({"groups": {"monitors": "m"}}, {"parent": "pat", "child": "kim"})
    for role in ("child", "monitor", "parent", None):
        world.as_(role, print)
    assert asked == [("kim", ""), ("kim", "m"), ("pat", ""), (None, "")]
