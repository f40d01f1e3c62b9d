"""A running machine: booted from an image that is never written, reached by keys that only this run has."""

from __future__ import annotations

import io
import os
import queue
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko

from results.base.deadline import Deadline
from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import end
from results.records import BootRecord
from validate.machine import launch
from validate.machine.accelerator import Accelerator
from validate.machine.connect import connect_pinned
from validate.machine.console import Console, Line
from validate.machine.credentials import Credentials, private_text, public_line, smbios_strings
from validate.machine.disk_io import asynchronous_io
from validate.machine.firmware import firmware
from validate.machine.qemu import DISK_NODE, arguments
from validate.machine.qmp import Qmp
from validate.machine.readiness import Phase, State, Wait
from validate.machine.session import Session
from validate.machine.settings import DiskImage, Limits, MachineSettings
from validate.machine.signals import Signal, from_console, from_qmp
from validate.machine.wiring import wired

__all__ = ["BootRecord", "DiskImage", "Limits", "Machine", "MachineSettings", "machine"]

BOOT_ID = "/proc/sys/kernel/random/boot_id"
USER = "root"
GREETING = 30.0
"""Seconds that QEMU itself may take to answer, on a busy host."""

HANGING_UP = 0.05
"""Seconds between two looks at QEMU's network, which tells of nothing by itself."""

RESET = "reset"
"""The snapshot that is taken for a moment when the guest resets."""

TRY = 10.0
"""Seconds that one try to connect may take with KVM; sshd forks, which is slow under emulation."""


class Machine:
    """Use it inside `with machine(...)`. `session` is another object after each reboot and snapshot: ask anew."""

    def __init__(self, name: str, settings: MachineSettings, stack: ExitStack, folder: Path, events: Events) -> None:
        """Nothing runs yet; `stack` will put everything back."""
        self.name = name
        self.settings = settings
        self.boots: list[BootRecord] = []
        self.console_log = folder / f"console-{name}.log"
        self._stack = stack
        self._events = events
        self._signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self._credentials = Credentials.make()
        self._key = paramiko.Ed25519Key.from_private_key(io.StringIO(private_text(self._credentials.client).decode()))
        self._session: Session | None = None
        self._expecting_reset = False
        self._ending = False
        self._lock = threading.Lock()
        self._trouble = ""
        self._argv: list[str] = []
        self._overlay = -1
        self.port = 0

    @property
    def accelerator(self) -> Accelerator:
        """The accelerator that it runs with."""
        return self.settings.accelerator

    @property
    def session(self) -> Session:
        """The SSH session of the present boot."""
        if self._session is None:
            raise InfrastructureError(f"machine {self.name}: there is no session", self._trouble)
        return self._session

    def console_tail(self) -> str:
        """The last lines of the serial console."""
        return self._console.tail()

    def reboot(self) -> BootRecord:
        """Reboot, and wait until the machine is ready again.

        Done means: one reset, another boot_id, and everything that ready means. Raises `InfrastructureError`.
        """

        def ask(session: Session) -> None:
            with suppress(InfrastructureError):  # the connection may drop before the answer is there
                session.run(["systemctl", "reboot"], check=False, timeout=30 * self.accelerator.time_scale)

        return self._through_reset("reboot", ask)

    def cut_power(self) -> BootRecord:
        """Reset without a word to the guest, whose memory is lost with all that it had not written to its disk yet.

        Done means the same as for `reboot`. Raises `InfrastructureError`.
        """
        self._hang_up("power cut")
        return self._through_reset("power cut", lambda _: self._qmp.execute("system_reset"))

    def _through_reset(self, what: str, begin: Callable[[Session], object]) -> BootRecord:
        old = self.boots[-1].boot_id
        session = self.session
        self._drain()
        self._expecting_reset = True
        started = time.monotonic()
        begin(session)
        try:
            self._until_ready(State(Phase.RESETTING, started), f"machine {self.name}: {what} {len(self.boots)}")
        finally:
            session.close()
            self._expecting_reset = False
        record = self.boots[-1]
        if record.boot_id == old:
            raise InfrastructureError(f"machine {self.name}: it was reset, but its boot_id is still {old}")
        return record

    def snapshot_save(self, name: str) -> None:
        """Keep memory and disk under `name`, inside the overlay. The machine stands still meanwhile.

        The SSH session ends first, and a new one is made, since connections would be in the snapshot, too.
        """
        self._hang_up(f"snapshot {name}")
        self._snapshot("snapshot-save", name)
        self._connect_again(name)

    def snapshot_load(self, name: str) -> None:
        """Go back to a snapshot: same boot, earlier time. Every SSH session ends; a new one is made.

        The guest's clock is as late as the snapshot is old, so never measure after this.
        """
        if self._session is not None:
            self._session.close()
        self._snapshot("snapshot-load", name)
        self._connect_again(name)

    def _hang_up(self, before: str) -> None:
        """End the session, and wait until QEMU's network has forgotten it.

        A connection that is both in the snapshot and in QEMU would be there twice after loading, at two points of
        its life: machine and network then confirm to each other for ever what neither has sent, as fast as they can.
        """
        if self._session is not None:
            self._session.close()
        waiting = Deadline.after(TRY * self.accelerator.time_scale, f"machine {self.name}: {before}: the end of SSH")
        while open_connections(self._qmp.monitor("info usernet")):
            if waiting.passed():
                raise waiting.error(
                    "the machine does not close its end of the connection", evidence=self.console_tail()
                )
            time.sleep(HANGING_UP)

    def _connect_again(self, name: str) -> None:
        self._drain()
        self._trouble = ""
        context = f"machine {self.name}: snapshot {name}"
        now = time.monotonic()
        state = State(Phase.CONNECTING, now, console_at=now, ssh_expected=True)
        self._keep(self._wait(context).until_ready(state))

    def _snapshot(self, command: str, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,60}", name):
            raise InfrastructureError(f"snapshot {name!r}: not a word of letters, digits, - and _")
        words = {"tag": name, "vmstate": DISK_NODE, "devices": [DISK_NODE]}
        with self._events.step(f"{self.name}: {command} {name}"):
            self._qmp.job(command, words, timeout=self.settings.patience.snapshot)

    def _forget_translations(self) -> None:
        """Have QEMU drop the code that it has translated from the boot before.

        It keeps that over a reset, and each write to a page which such code came from is slow then: firmware and
        boot loader took 30 to 60 s more than in a first boot (QEMU 7.2). To load a snapshot is what makes it forget.
        """
        words = {"tag": RESET, "devices": [DISK_NODE]}
        for command, more in (("save", {"vmstate": DISK_NODE}), ("load", {"vmstate": DISK_NODE}), ("delete", {})):
            self._qmp.job(f"snapshot-{command}", {**words, **more}, timeout=self.settings.patience.snapshot)

    def keep_overlay(self, path: Path) -> None:
        """Copy the overlay disk out, for a look at what went wrong; QEMU may still run."""
        if self._overlay < 0:
            return
        with os.fdopen(os.dup(self._overlay), "rb") as source, path.open("wb") as copy:
            source.seek(0)
            shutil.copyfileobj(source, copy)
        self._events.emit("note", f"kept the overlay disk: {path}")

    # -- starting and ending, for `machine` only

    def start(self, image: DiskImage) -> None:
        """Start QEMU and wait until the guest is ready."""
        with self._events.step(f"{self.name}: boot"):
            started = time.monotonic()
            self._launch(image)
            self._until_ready(State(Phase.STARTING, started), f"machine {self.name}: boot")

    def stop(self) -> None:
        """End QEMU first, so that nothing hears of anything afterwards, then our ends."""
        self._ending = True
        if self._session is not None:
            self._session.close()

    def _launch(self, image: DiskImage) -> None:
        strings = smbios_strings({**self._credentials.systemd(), **self.settings.credentials}, self.settings.arguments)
        with wired(image.path, strings, self._stack, self._events) as wires:
            self._overlay = wires.overlay
            aio = asynchronous_io(self._events)
            self._argv = arguments(self.name, self.settings.hardware, firmware().code, wires.fds, aio)
            self._console = Console(wires.console, self.console_log, self._hear_line)
            self._stack.callback(self._console.close)
            self._qmp = Qmp(wires.qmp, self._hear_event)
            self._stack.callback(self._qmp.close)
            process = launch.spawn_qemu(self._argv, wires.fds.all, wires.stderr, self._events)
            self._stack.callback(end, process)
        self._console.start()
        try:
            self._qmp.connect(GREETING)
            self.port = forwarded_port(self._qmp.monitor("info usernet"))
        except InfrastructureError as error:
            raise InfrastructureError(
                f"machine {self.name}: QEMU did not start", error.what, evidence=launch.said(wires.stderr)
            ) from None
        watcher = threading.Thread(target=self._watch, args=(process, wires.stderr), name="qemu", daemon=True)
        watcher.start()
        self._stack.callback(watcher.join, 2)
        self._stack.callback(end, process)

    # -- hearing

    def _hear_line(self, line: Line) -> None:
        self._hear(from_console(line))

    def _hear_event(self, name: str, data: Mapping[str, Any]) -> None:
        signal = from_qmp(name, data)
        if signal is not None:
            self._hear(signal)

    def _watch(self, process: Any, stderr: int) -> None:
        status = process.wait()
        if not self._ending:
            last = " ".join(launch.said(stderr).splitlines()[-3:])
            self._hear(Signal("exit", f"QEMU ended with status {status}" + (f": {last}" if last else "")))

    def _hear(self, signal: Signal) -> None:
        """Called on any thread. What makes the machine unusable also ends the command that runs in it."""
        why = signal.fatal
        if signal.kind == "reset" and not self._expecting_reset and self._session is not None:
            why = "the guest was reset, which nobody asked for"
        with self._lock:
            if why and not self._ending:
                self._trouble = self._trouble or why
                if self._session is not None and not self._expecting_reset:
                    self._session.abort(why)
        self._signals.put(signal)

    def _drain(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._signals.get_nowait()

    # -- waiting

    def _attempt(self, patience: float) -> Session:
        transport = connect_pinned(
            self.port,
            USER,
            self._key,
            public_line(self._credentials.host),
            timeout=TRY * self.accelerator.time_scale,
            patience=patience,
        )
        return Session(transport, f"machine {self.name}", self._events, time_scale=self.accelerator.time_scale)

    def _wait(self, context: str) -> Wait:
        patience, emulated = self.settings.patience, self.accelerator.name == "tcg"
        wait = Wait(context, patience, self._signals, self._attempt, self.console_tail)
        return replace(wait, after_reset=self._forget_translations) if emulated else wait

    def _keep(self, state: State) -> Session:
        if state.session is None:
            raise InfrastructureError(f"machine {self.name}: ready without a session")  # Phase.READY excludes it
        with self._lock:
            self._session = state.session
            if self._trouble:
                self._session.abort(self._trouble)
        return state.session

    def _until_ready(self, state: State, context: str) -> None:
        state = self._wait(context).until_ready(state)
        session = self._keep(state)
        console_at = state.console_at or state.ready_at
        boot_id = session.run(["cat", BOOT_ID]).text.strip()
        record = BootRecord(
            boot_id=boot_id,
            accelerator=self.accelerator.name,
            accelerator_reason=self.accelerator.reason,
            command=tuple(self._argv),
            seconds_to_console_ready=round(console_at - state.origin, 3),
            seconds_to_ready=round(state.ready_at - state.origin, 3),
            system_state=self._settled(session, context),
        )
        self.boots.append(record)
        self._events.emit("machine", f"{context}: ready, {record.system_state}", seconds=record.seconds_to_ready)

    def _settled(self, session: Session, context: str) -> str:
        """What systemd calls its state once no start-up job is left."""
        try:
            waiting = ["systemctl", "is-system-running", "--wait"]
            found = session.run(waiting, check=False, timeout=self.settings.patience.settle).text.strip()
        except InfrastructureError as error:
            if not session.connected:
                raise
            jobs = session.run(["systemctl", "list-jobs"], check=False).text
            raise InfrastructureError(
                f"{context}: start-up jobs do not end: {error.what}", "see the jobs above", evidence=jobs
            ) from None
        if found not in ("running", "degraded"):
            raise InfrastructureError(
                f"{context}: systemd is {found or 'silent'}, not up",
                "the console shows why",
                evidence=self.console_tail(),
            )
        return found


def open_connections(usernet: str) -> list[str]:
    """TCP connections that neither side has done with, out of `info usernet`."""
    states = re.findall(r"TCP\[(\w+)\]", usernet)
    return [state for state in states if state not in ("HOST_FORWARD", "TIME_WAIT", "CLOSED")]


def forwarded_port(usernet: str) -> int:
    """The loopback port that leads to the guest's SSH, out of `info usernet`."""
    match = re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\b", usernet)
    if match is None:
        raise InfrastructureError("QEMU does not tell the port of the guest's SSH", evidence=usernet[:2000])
    return int(match.group(1))


@contextmanager
def machine(
    image: DiskImage, *, settings: MachineSettings, folder: Path, events: Events, name: str = "machine"
) -> Iterator[Machine]:
    """A machine that is ready, for as long as the block lasts; its console goes to `folder/console-<name>.log`.

    However the block ends, nothing of the machine is left: QEMU's life is bound to the thread that enters
    the block, and everything else that belongs to it has no name. Raises `InfrastructureError`.
    """
    before = _identity(image.path)
    with ExitStack() as stack:
        made = Machine(name, settings.fitted(), stack, folder, events)
        stack.callback(made.stop)
        try:
            made.start(image)
            yield made
        except BaseException:
            if settings.keep:
                made.keep_overlay(folder / f"overlay-{name}.qcow2")
            raise
    if _identity(image.path) != before:
        raise InfrastructureError(
            f"{image.path}: the image was changed while a machine ran from it",
            "build it again; machines never write it",
        )


def _identity(path: Path) -> tuple[int, int, int, int]:
    """Cheap stand-in for a digest: changes whenever somebody writes the file or puts another in its place."""
    try:
        found = path.stat()
    except OSError as error:
        raise InfrastructureError(f"{path}: {error.strerror}", "build the image first") from None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
