"""Commands inside a machine over SSH: pinned host key, both streams read together, every command with a deadline."""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import paramiko

from results.base.deadline import Deadline
from results.base.errors import InfrastructureError
from results.base.events import Events
from validate.machine import guestscript
from validate.machine.connect import connect_by_known_hosts

HEAD = 2000
"""Bytes of each stream that the transcript keeps."""

CHUNK = 1 << 16

COMMAND_SECONDS = 60.0
SCRIPT_SECONDS = 120.0
"""What a command or a script may take with KVM where the caller does not say."""

PUT = 'umask 077; cat > "$1.part" && chmod "$2" "$1.part" && mv -f "$1.part" "$1"'


@dataclass(frozen=True)
class Reply:
    """A command that has ended in the machine. `status` is -1 when a signal ended it."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes
    seconds: float
    truncated: bool
    """Whether a stream went beyond the limit; what came after that was thrown away."""

    @property
    def text(self) -> str:
        """Standard output as text; bytes that are no UTF-8 are shown as escapes."""
        return self.stdout.decode(errors="backslashreplace")

    @property
    def tail(self) -> str:
        """The end of standard error (or of standard output), to quote in an error."""
        raw = self.stderr if self.stderr.strip() else self.stdout
        return "\n".join(raw[-4000:].decode(errors="backslashreplace").splitlines()[-15:])


class _Stream(threading.Thread):
    """Reads one stream to its end, keeps at most `limit` bytes, and goes on draining."""

    def __init__(self, channel: paramiko.Channel, limit: int, *, stderr: bool) -> None:
        super().__init__(name="stderr" if stderr else "stdout", daemon=True)
        self._receive = channel.recv_stderr if stderr else channel.recv
        self._limit = limit
        self.kept = bytearray()
        self.truncated = False

    def run(self) -> None:
        """Until the end of the stream, or of the connection."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while chunk := self._receive(CHUNK):
                room = self._limit - len(self.kept)
                self.kept += chunk[:room]
                self.truncated |= len(chunk) > room


class Session:
    """One SSH connection to one machine, used again for every command; commands run one at a time or side by side."""

    def __init__(self, transport: paramiko.Transport, name: str, events: Events, *, time_scale: float = 1.0) -> None:
        """Take over an authenticated connection; `name` is how errors call the machine.

        `time_scale` stretches the time limits that a caller leaves to us.
        """
        self._time_scale = time_scale
        self._transport = transport
        self._name = name
        self._events = events
        self._gone = ""

    @classmethod
    def connect(
        cls, host: str, port: int = 22, *, user: str, events: Events, identity: str | None = None, timeout: float = 30
    ) -> Self:
        """Reach a machine that is not ours: the user's known_hosts decides strictly; keys come from files or agent.

        Raises `InfrastructureError`.
        """
        transport = connect_by_known_hosts(host, port, user, identity, timeout)
        return cls(transport, f"{user}@{host}:{port}", events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    def abort(self, why: str) -> None:
        """Hang up because the machine is gone: whatever command runs now ends at once and says `why`."""
        self._gone = self._gone or why
        self._transport.close()

    @property
    def connected(self) -> bool:
        """Whether the connection stands, as far as we know."""
        return self._transport.is_active()

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        timeout: float | None = None,
        check: bool = True,
        limit: int = 64 << 20,
    ) -> Reply:
        """Run `argv` in the machine and return what it said.

        `timeout` is in seconds (by default 60 times the machine's scale), `limit` in bytes for each stream.
        Raises `InfrastructureError` when the connection drops, the time is up, or (with `check`) the status is
        not 0.
        """
        words = shlex.join(argv)
        seconds = COMMAND_SECONDS * self._time_scale if timeout is None else timeout
        try:
            reply = self._exchange(tuple(argv), words, stdin, Deadline.after(seconds, self._short(words)), limit)
        except InfrastructureError as error:
            self._events.emit("command", words, where=self._name, argv=list(argv), status=None, error=error.what)
            raise
        self._events.emit(
            "command",
            words if argv[:3] != guestscript.ARGV[:3] else "python3 -IS -c … (sent script)",
            seconds=reply.seconds,
            where=self._name,
            argv=list(argv) if argv[:3] != guestscript.ARGV[:3] else ["python3", "-IS", "-c", "…"],
            status=reply.status,
            stdout=reply.stdout[:HEAD].decode(errors="backslashreplace"),
            stderr=reply.stderr[:HEAD].decode(errors="backslashreplace"),
            truncated=reply.truncated or max(len(reply.stdout), len(reply.stderr)) > HEAD,
        )
        if check and reply.status != 0:
            raise InfrastructureError(
                f"{self._name}: `{self._short(words)}`: exit status {reply.status}", evidence=reply.tail
            )
        return reply

    def python(
        self,
        source: str,
        argument: object = None,
        *,
        modules: Mapping[str, str] | None = None,
        timeout: float | None = None,
        limit: int = 64 << 20,
    ) -> Any:
        """Run a script of the standard library in the machine; nothing is written to its disk.

        The script sees `ARGUMENT` and has to set `RESULT`; both are JSON values. `modules` (name to source)
        can be imported by it. Raises `InfrastructureError`, with the end of the script's traceback.
        """
        task = guestscript.task(source, argument, modules or {})
        timeout = SCRIPT_SECONDS * self._time_scale if timeout is None else timeout
        reply = self.run(guestscript.ARGV, stdin=task, timeout=timeout, check=False, limit=limit)
        if reply.status != 0:
            raise InfrastructureError(
                f"{self._name}: python3 in the machine: exit status {reply.status}",
                "the machine needs Python 3 for being looked at",
                evidence=reply.tail,
            )
        return guestscript.answer(reply.stdout, truncated=reply.truncated)

    def put(self, path: str, content: bytes, mode: int) -> None:
        """Write a file in the machine; it appears whole and with its mode, or not at all."""
        self.run(["sh", "-c", PUT, "sh", path, f"{mode:04o}"], stdin=content)

    def _exchange(self, argv: tuple[str, ...], words: str, stdin: bytes, deadline: Deadline, limit: int) -> Reply:
        started = time.monotonic()
        with self._channel(words, deadline) as channel:
            streams = [_Stream(channel, limit, stderr=False), _Stream(channel, limit, stderr=True)]
            for stream in streams:
                stream.start()
            sender = threading.Thread(target=_send, args=(channel, stdin), name="stdin", daemon=True)
            sender.start()
            for stream in streams:
                stream.join(deadline.left())
                if stream.is_alive():
                    raise self._late(streams, deadline)
            if not channel.status_event.wait(deadline.left()):
                raise self._late(streams, deadline)
            status = channel.exit_status
        if status == -1 and (self._gone or not self._transport.is_active()):
            raise self._dropped(words)
        out, err = (bytes(stream.kept) for stream in streams)
        truncated = any(stream.truncated for stream in streams)
        return Reply(argv, status, out, err, time.monotonic() - started, truncated)

    @contextlib.contextmanager
    def _channel(self, words: str, deadline: Deadline) -> Iterator[paramiko.Channel]:
        if self._gone or not self._transport.is_active():
            raise self._dropped(words)
        try:
            channel = self._transport.open_session(timeout=max(0.1, deadline.left()))
        except (paramiko.SSHException, OSError, EOFError):
            if self._transport.is_active():
                raise deadline.error("the machine answers no more: see its console") from None
            raise self._dropped(words) from None
        try:
            channel.settimeout(None)
            channel.exec_command(words)
            yield channel
        except (paramiko.SSHException, OSError, EOFError):
            raise self._dropped(words) from None
        finally:
            channel.close()

    def _late(self, streams: list[_Stream], deadline: Deadline) -> InfrastructureError:
        said = b"\n".join(bytes(stream.kept[-1000:]) for stream in streams)
        lines = said.decode(errors="backslashreplace").splitlines()[-10:]
        return deadline.error("the transcript has what ran before it", evidence="\n".join(lines))

    def _dropped(self, words: str) -> InfrastructureError:
        why = f": {self._gone}" if self._gone else ""
        return InfrastructureError(
            f"{self._name}: the SSH connection dropped during `{self._short(words)}`{why}",
            "the machine's console log says what happened",
        )

    @staticmethod
    def _short(words: str) -> str:
        first = words.partition("\n")[0]
        return first if len(first) <= 120 else first[:119] + "…"


def _send(channel: paramiko.Channel, stdin: bytes) -> None:
    """Feed standard input and close it; a command that does not read it to the end is no error."""
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        channel.sendall(stdin)
        channel.shutdown_write()
