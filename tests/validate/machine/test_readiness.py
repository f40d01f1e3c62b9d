"""The state machine of a boot, and its deadlines, without any machine."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.base.errors import InfrastructureError
from validate.machine.connect import WrongHostKeyError
from validate.machine.console import FATAL, Said
from validate.machine.greeting import NotYetError
from validate.machine.readiness import Phase, State, Wait, advance
from validate.machine.settings import Limits
from validate.machine.signals import Signal, from_qmp

START = State(Phase.STARTING, 100.0)
READY = Signal("console", said=Said.READY, at=130.0)
RESET = Signal("reset", at=105.0)


class FakeSession:
    closed = False

    def close(self) -> None:
        self.closed = True


def session_signal(at: float = 131.0) -> Signal:
    return Signal("session", payload=FakeSession(), at=at)


def walk(state: State, *signals: Signal) -> State:
    for signal in signals:
        state = advance(state, signal)
    return state


def test_ready_needs_both_in_whichever_order() -> None:
    assert walk(START, READY).phase is Phase.CONNECTING
    assert walk(START, session_signal()).phase is Phase.STARTING
    for signals in ((READY, session_signal()), (session_signal(), READY)):
        done = walk(START, *signals)
        assert (done.phase, done.console_at, done.ready_at) == (Phase.READY, 130.0, 131.0)


def test_the_clock_of_a_reboot_starts_at_its_reset() -> None:
    state = walk(State(Phase.RESETTING, 90.0), READY, RESET)
    assert (state.phase, state.origin, state.console_at) == (Phase.STARTING, 105.0, None)


def test_a_second_reset_is_an_error() -> None:
    state = walk(State(Phase.RESETTING, 90.0), RESET, RESET)
    assert state.phase is Phase.FAILED
    assert "reset itself" in str(state.error)


@pytest.mark.parametrize("said", sorted(FATAL))
@pytest.mark.parametrize("phase", [Phase.RESETTING, Phase.STARTING, Phase.CONNECTING])
def test_trouble_ends_every_phase(said: Said, phase: Phase) -> None:
    state = advance(State(phase, 0.0), Signal("console", said=said))
    assert state.phase is Phase.FAILED
    assert said.value in str(state.error)


def test_power_off_and_exit_end_the_wait() -> None:
    off = from_qmp("SHUTDOWN", {"guest": True, "reason": "guest-shutdown"})
    assert off is not None
    assert "powered itself off" in str(walk(State(Phase.RESETTING, 0.0), off).error)
    assert walk(START, Signal("exit", "QEMU ended with status 1")).phase is Phase.FAILED
    assert from_qmp("SHUTDOWN", {"guest": False}) is None
    assert from_qmp("STOP", {}) is None


SIGNALS = st.one_of(
    st.sampled_from([*Said]).map(lambda said: Signal("console", said=said)),
    st.sampled_from(["reset", "session"]).map(lambda kind: Signal(kind, payload=FakeSession())),  # type: ignore[arg-type]
)


@given(st.lists(SIGNALS, max_size=30))
def test_never_ready_without_the_word_and_a_session(signals: list[Signal]) -> None:
    state = START
    for at, signal in enumerate(signals):
        state = advance(state, signal)
        if state.phase is Phase.FAILED:
            break
        if state.phase is Phase.READY:
            before = signals[: at + 1]
            assert any(one.said is Said.READY for one in before)
            assert any(one.kind == "session" for one in before)
            assert not any(one.said in FATAL or one.kind == "reset" for one in before)


def wait(attempt: Callable[[float], Any], *signals: Signal, limits: Limits | None = None) -> Wait:
    heard: queue.SimpleQueue[Signal] = queue.SimpleQueue()
    for signal in signals:
        heard.put(signal)
    return Wait(
        "machine x: boot", limits or Limits(console=0.4, ssh=0.4, reset=0.4), heard, attempt, lambda: "the tail"
    )


def refuse(patience: float) -> Any:
    raise NotYetError("nobody there")


def test_connecting_is_tried_again() -> None:
    left = [3]
    made: Any = FakeSession()

    def attempt(patience: float) -> Any:
        left[0] -= 1
        return made if left[0] == 0 else refuse(patience)

    state = wait(attempt, READY, limits=Limits(ssh=5)).until_ready(State(Phase.STARTING, time.monotonic()))
    assert (state.phase, state.session) == (Phase.READY, made)


@pytest.mark.parametrize(
    ("phase", "signals", "what"),
    [
        (Phase.RESETTING, (), "the guest's reset"),
        (Phase.STARTING, (), "multi-user.target"),
        (Phase.RESETTING, (RESET,), "multi-user.target"),
        (Phase.STARTING, (READY,), "an SSH session"),
    ],
)
def test_every_deadline_has_its_own_name_and_quotes_the_console(
    phase: Phase, signals: tuple[Signal, ...], what: str
) -> None:
    with pytest.raises(InfrastructureError, match=f"machine x: boot: waiting for {what}.*not within") as caught:
        wait(refuse, *signals).until_ready(State(phase, time.monotonic()))
    assert caught.value.evidence == "the tail"
    assert caught.value.hint


def test_a_wrong_host_key_ends_the_wait_at_once() -> None:
    def attempt(patience: float) -> Any:
        raise WrongHostKeyError("the SSH host key is not the one of this run")

    started = time.monotonic()
    with pytest.raises(WrongHostKeyError, match="machine x: boot: the SSH host key"):
        wait(attempt, READY, limits=Limits(ssh=30)).until_ready(State(Phase.STARTING, started))
    assert time.monotonic() - started < 5


def test_a_panic_ends_the_wait_at_once_and_hangs_up() -> None:
    made = FakeSession()
    started = time.monotonic()
    panic = Signal("console", said=Said.PANIC)
    with pytest.raises(InfrastructureError, match="kernel panic"):
        wait(refuse, Signal("session", payload=made), panic, limits=Limits()).until_ready(START)
    assert time.monotonic() - started < 2
    assert made.closed


def test_connecting_starts_without_a_word_when_the_console_has_spoken_before() -> None:
    """After a snapshot is loaded, nothing more comes from the console."""
    state = State(Phase.CONNECTING, 0.0, console_at=0.0, ssh_expected=True)
    assert wait(lambda _: FakeSession(), limits=Limits(ssh=5)).until_ready(state).phase is Phase.READY
