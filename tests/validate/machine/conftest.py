"""A real SSH server on a thread for the fast tests, and a disk to boot for those with a machine."""

from __future__ import annotations

import contextlib
import io
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from images.build import BuiltImage
from results.base.events import Event, Events
from results.records import Variant
from validate.machine.connect import connect_pinned
from validate.machine.credentials import Credentials, private_text, public_line
from validate.machine.machine import DiskImage
from validate.machine.session import Session


def as_paramiko(key: Ed25519PrivateKey) -> paramiko.Ed25519Key:
    return paramiko.Ed25519Key.from_private_key(io.StringIO(private_text(key).decode()))


class _Door(paramiko.ServerInterface):
    def __init__(self, server: SshServer, transport: paramiko.Transport) -> None:
        self.server = server
        self.transport = transport

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002
        line = f"{key.get_name()} {key.get_base64()}".encode()
        ours = line == public_line(self.server.credentials.client)
        return AUTH_SUCCESSFUL if ours else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(
            target=self.server.serve, args=(self.transport, channel, command.decode()), daemon=True
        ).start()
        return True


@dataclass
class SshServer:
    """Runs what it is told by the local shell; a command that starts with `drop` loses the connection after it."""

    credentials: Credentials = field(default_factory=Credentials.make)
    connections: int = 0

    def __post_init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.transports: list[paramiko.Transport] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            transport = paramiko.Transport(connection)
            transport.add_server_key(as_paramiko(self.credentials.host))
            self.transports.append(transport)
            try:
                transport.start_server(server=_Door(self, transport))
            except (paramiko.SSHException, EOFError, OSError):
                continue

    def serve(self, transport: paramiko.Transport, channel: paramiko.Channel, command: str) -> None:
        drop = command.startswith("drop ")
        process = subprocess.Popen(
            ["/bin/sh", "-c", command.removeprefix("drop ")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdin
        assert process.stdout
        assert process.stderr
        pumps = [
            threading.Thread(target=_pump, args=(process.stdout.read1, channel.sendall), daemon=True),  # type: ignore[attr-defined]
            threading.Thread(target=_pump, args=(process.stderr.read1, channel.sendall_stderr), daemon=True),  # type: ignore[attr-defined]
        ]
        for pump in pumps:
            pump.start()
        try:
            while chunk := channel.recv(65536):
                process.stdin.write(chunk)
            process.stdin.close()
        except OSError:
            pass
        for pump in pumps:
            pump.join()
        if drop:
            transport.close()
            return
        channel.send_exit_status(process.wait())
        channel.close()

    def dial(
        self, client: Ed25519PrivateKey | None = None, host: Ed25519PrivateKey | None = None, timeout: float = 10
    ) -> paramiko.Transport:
        """Connect as a machine's session does; by default with the right keys."""
        keys = self.credentials
        pinned = public_line(host or keys.host)
        return connect_pinned(self.port, "root", as_paramiko(client or keys.client), pinned, timeout=timeout)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self.socket.close()
        for transport in self.transports:
            transport.close()


def _pump(read: Callable[[int], bytes], send: Callable[[bytes], None]) -> None:
    try:
        while chunk := read(65536):
            send(chunk)
    except OSError:
        pass


@pytest.fixture
def server() -> Iterator[SshServer]:
    made = SshServer()
    yield made
    made.close()


@pytest.fixture
def seen() -> list[Event]:
    return []


@pytest.fixture
def session(server: SshServer, seen: list[Event]) -> Iterator[Session]:
    with Session(server.dial(), "test machine", Events(seen.append)) as made:
        yield made


@pytest.fixture(scope="session")
def disk_image(built: Mapping[Variant, BuiltImage]) -> DiskImage:
    """The disk of the VM tests: the baseline, as it is built."""
    image = built["baseline"]
    return DiskImage(image.disk, image.record.sha256, image.record.architecture)
