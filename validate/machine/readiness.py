"""From QEMU's start, or from the guest's reset, to a machine that is ready: an explicit state machine.

`advance` is pure: a state and a signal give the next state. `Wait` feeds it from the queue and knows the
deadlines. Nothing polls except the connector, and only between two tries to connect.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from results.base.deadline import Deadline
from results.base.errors import InfrastructureError
from validate.machine.console import Said
from validate.machine.greeting import NotYetError
from validate.machine.session import Session
from validate.machine.settings import Limits
from validate.machine.signals import Signal

RETRY = 0.1
"""Seconds between two tries to connect."""

ASK_SYSTEMD = 10.0
"""Seconds between two questions to systemd, when SSH answers and the console has not said the word (another
message may have cut it in two)."""

FIRST_PATIENCE = 4.0
"""Seconds for which the first try waits for a word from sshd (see `greeting`); doubled with each try, so that a slow
guest gets its time, too."""

LONGEST_PATIENCE = 64.0

SIGNS_OF_SSH = frozenset({Said.SSH, Said.READY, Said.LOGIN})


class Phase(Enum):
    """Where a boot is."""

    RESETTING = "the guest's reset"
    STARTING = "multi-user.target"
    CONNECTING = "an SSH session on the pinned host key"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class State:
    """Where a boot is, and what has been seen of it so far. Times are monotonic seconds."""

    phase: Phase
    origin: float
    console_at: float | None = None
    session: Session | None = None
    session_at: float | None = None
    ssh_expected: bool = False
    error: InfrastructureError | None = None

    @property
    def ready_at(self) -> float:
        """When both had come true."""
        return max(self.console_at or self.origin, self.session_at or self.origin)


def advance(state: State, signal: Signal) -> State:
    """The next state."""
    if signal.fatal:
        return _failed(state, InfrastructureError(signal.fatal))
    if state.phase is Phase.RESETTING:
        return replace(state, phase=Phase.STARTING, origin=signal.at) if signal.kind == "reset" else state
    match signal.kind:
        case "reset":
            return _failed(state, InfrastructureError("the guest reset itself in the middle of starting"))
        case "refused":
            error = signal.payload
            return _failed(state, error if isinstance(error, InfrastructureError) else InfrastructureError(str(error)))
        case "session":
            state = replace(state, session=signal.payload, session_at=signal.at)
        case "console" if signal.said in SIGNS_OF_SSH:
            state = replace(state, ssh_expected=True)
            if signal.said is Said.READY and state.console_at is None:
                state = replace(state, console_at=signal.at)
    return replace(state, phase=_phase(state))


def _phase(state: State) -> Phase:
    if state.console_at is None:
        return Phase.STARTING
    return Phase.CONNECTING if state.session_at is None else Phase.READY


def _failed(state: State, error: InfrastructureError) -> State:
    return replace(state, phase=Phase.FAILED, error=error)


class Connector:
    """Tries to connect on a thread of its own, until it succeeds, is refused for good, or is stopped."""

    def __init__(self, attempt: Callable[[float], Session], put: Callable[[Signal], None]) -> None:
        """`attempt` takes its patience in seconds, and raises `NotYetError` when another try makes sense."""
        self._attempt = attempt
        self._put = put
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="connector", daemon=True)

    def start(self) -> None:
        """Begin to try."""
        self._thread.start()

    def stop(self) -> None:
        """Try no more. A session that comes in after this is closed at once."""
        with self._lock:
            self._stop.set()

    def _run(self) -> None:
        patience = FIRST_PATIENCE
        while not self._stop.is_set():
            tried = time.monotonic()
            try:
                session = self._attempt(patience)
            except NotYetError:
                if time.monotonic() - tried > patience / 2:  # silence, not a refusal
                    patience = min(2 * patience, LONGEST_PATIENCE)
                self._stop.wait(RETRY)
            except InfrastructureError as error:
                self._put(Signal("refused", payload=error))
                return
            else:
                with self._lock:
                    if not self._stop.is_set():
                        self._put(Signal("session", payload=session))
                        return
                session.close()


@dataclass(frozen=True)
class Wait:
    """Everything that waiting for one boot needs. `context` begins each error: which machine, which boot."""

    context: str
    limits: Limits
    signals: queue.SimpleQueue[Signal]
    attempt: Callable[[float], Session]
    tail: Callable[[], str]
    after_reset: Callable[[], None] = lambda: None
    """Called once, as soon as a reset that was waited for has come."""

    def until_ready(self, state: State) -> State:
        """Wait through all phases. Raises `InfrastructureError` that quotes the console's tail."""
        connector: Connector | None = None
        deadline, phase = self._deadline(state.phase), state.phase
        try:
            while state.phase is not Phase.READY:
                if state.phase is not phase:
                    if phase is Phase.RESETTING:
                        self.after_reset()
                    deadline, phase = self._deadline(state.phase), state.phase
                late = state.phase is Phase.STARTING and deadline.left() < deadline.seconds / 2
                if connector is None and (state.ssh_expected or late):
                    connector = Connector(self.attempt, self.signals.put)
                    connector.start()
                state = self._next(state, deadline)
                self._stop_at_failure(state)
        except BaseException:
            if state.session is not None:
                state.session.close()
            raise
        finally:
            if connector is not None:
                connector.stop()
        return state

    def _next(self, state: State, deadline: Deadline) -> State:
        """Wait for one signal, for the deadline, or for the moment to do something about silence."""
        pause = deadline.left()
        if state.phase is Phase.STARTING:
            pause = min(pause, ASK_SYSTEMD)
        try:
            return advance(state, self.signals.get(timeout=max(0.01, pause)))
        except queue.Empty:
            if deadline.passed():
                raise deadline.error(_HINTS[state.phase], evidence=self.tail()) from None
        if state.session is not None and _systemd_is_up(state.session):
            return advance(state, Signal("console", "systemd says that it is up", said=Said.READY))
        return state

    def _deadline(self, phase: Phase) -> Deadline:
        seconds = {
            Phase.RESETTING: self.limits.reset,
            Phase.STARTING: self.limits.console,
            Phase.CONNECTING: self.limits.ssh,
        }.get(phase, 0.0)
        return Deadline.after(seconds, f"{self.context}: waiting for {phase.value}")

    def _stop_at_failure(self, state: State) -> None:
        if state.phase is Phase.FAILED and state.error is not None:
            raise self._error(state.error)

    def _error(self, error: InfrastructureError) -> InfrastructureError:
        evidence = "\n".join(part for part in (error.evidence, self.tail()) if part)
        return type(error)(
            f"{self.context}: {error.what}", error.hint or "the console log has the whole story", evidence=evidence
        )


_HINTS = {
    Phase.RESETTING: "a unit that does not stop holds the shutdown up; the console names it",
    Phase.STARTING: "the console shows what the guest was doing last; a slow host may need --accel kvm",
    Phase.CONNECTING: "is sshd enabled in the image, and does its network come up by DHCP?",
}


def _systemd_is_up(session: Session) -> bool:
    """Ask systemd itself."""
    try:
        return session.run(["systemctl", "is-active", "multi-user.target"], check=False, timeout=30).status == 0
    except InfrastructureError:
        return False
