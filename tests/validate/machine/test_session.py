"""Sessions against a real SSH server: pinning, both streams, deadlines, drops, hostile answers."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from results.base.errors import InfrastructureError
from results.base.events import Event, Events
from validate.machine.connect import WrongHostKeyError
from validate.machine.greeting import NotYetError
from validate.machine.session import Session

if TYPE_CHECKING:
    from tests.validate.machine.conftest import SshServer


def test_another_host_key_is_rejected(server: SshServer) -> None:
    with pytest.raises(WrongHostKeyError, match="not the one of this run"):
        server.dial(host=Ed25519PrivateKey.generate())


def test_another_client_key_is_refused_for_good(server: SshServer) -> None:
    with pytest.raises(InfrastructureError, match="refuses the run's own key"):
        server.dial(client=Ed25519PrivateKey.generate())


def test_a_port_without_anybody_is_not_yet(server: SshServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        server.port = closed.getsockname()[1]
    with pytest.raises(NotYetError):
        server.dial()


def test_somebody_who_never_speaks_is_not_yet(server: SshServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server.port = mute.getsockname()[1]
        with pytest.raises(NotYetError):
            server.dial(timeout=0.3)


def test_argv_arrives_word_by_word(session: Session, seen: list[Event]) -> None:
    reply = session.run(["printf", "<%s>", "a b", "$HOME", "it's;", "*"])
    assert reply.text == "<a b><$HOME><it's;><*>"
    assert (seen[-1].kind, seen[-1].data["status"], seen[-1].data["where"]) == ("command", 0, "test machine")


def test_status_and_stdin(session: Session) -> None:
    assert session.run(["cat"], stdin=b"\x00in").stdout == b"\x00in"
    assert session.run(["sh", "-c", "exit 7"], check=False).status == 7
    with pytest.raises(InfrastructureError, match="exit status 7") as caught:
        session.run(["sh", "-c", "echo no such luck >&2; exit 7"])
    assert "no such luck" in str(caught.value)


def test_one_connection_for_everything(server: SshServer, session: Session) -> None:
    for _ in range(5):
        session.run(["true"])
    assert server.connections == 1


def test_four_megabytes_on_both_streams_and_in(session: Session) -> None:
    script = "head -c 4194304 /dev/zero; head -c 4194304 /dev/zero >&2; cat"
    reply = session.run(["sh", "-c", script], stdin=b"x" * (4 << 20), timeout=60)
    assert (len(reply.stdout), len(reply.stderr), reply.truncated) == (8 << 20, 4 << 20, False)


def test_output_beyond_the_limit_is_thrown_away(session: Session) -> None:
    reply = session.run(["sh", "-c", "head -c 1048576 /dev/zero; echo end >&2"], limit=1000)
    assert (len(reply.stdout), reply.stderr, reply.truncated, reply.status) == (1000, b"end\n", True, 0)


def test_a_time_out_names_the_command_and_leaves_the_session_usable(session: Session) -> None:
    started = time.monotonic()
    with pytest.raises(InfrastructureError, match=r"sleep 5.*not within 0 s") as caught:
        session.run(["sh", "-c", "echo so far; sleep 5"], timeout=0.4)
    assert time.monotonic() - started < 3
    assert "so far" in str(caught.value)
    assert session.run(["echo", "still here"]).text == "still here\n"


def test_a_drop_in_mid_command_names_the_command(session: Session, seen: list[Event]) -> None:
    with pytest.raises(InfrastructureError, match=r"dropped during `drop echo half`"):
        session.run(["drop", "echo", "half"])
    assert seen[-1].data["status"] is None
    with pytest.raises(InfrastructureError, match="dropped"):
        session.run(["true"])


def test_an_abort_ends_the_running_command_and_says_why(session: Session) -> None:
    threading.Timer(0.3, session.abort, ["the guest is in trouble: kernel panic"]).start()
    started = time.monotonic()
    with pytest.raises(InfrastructureError, match="kernel panic"):
        session.run(["sleep", "10"], timeout=30)
    assert time.monotonic() - started < 5


def test_put_writes_whole_files_with_their_mode(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "it's a file"
    session.put(str(path), b"\x00\xff" * 100_000, 0o640)
    assert path.read_bytes() == b"\x00\xff" * 100_000
    assert path.stat().st_mode & 0o7777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_python_gives_results_and_takes_modules(session: Session) -> None:
    modules = {"helper": "def double(x): return 2 * x", "pack": "", "pack.inner": "from helper import double"}
    script = "import sys, os\nfrom pack.inner import double\nprint('noise'); os.system('echo more noise')\n"
    assert session.python(script + "RESULT = {'n': double(ARGUMENT['n'])}", {"n": 21}, modules=modules) == {"n": 42}
    assert session.python("RESULT = 'ä\\n\\x00'") == "ä\n\x00"


@pytest.mark.parametrize(
    ("script", "match"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import no_such_module", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("pass", "set no RESULT"),
        ("RESULT = object()", "not JSON serializable"),
        ("raise SystemExit(3)", "SystemExit"),
        ("import os; os._exit(4)", "exit status 4"),
        ("RESULT = float('nan')", "not JSON"),
        ("RESULT = 'x' * 100000", "larger than the limit"),
    ],
)
def test_a_failing_script_is_our_error_with_its_reason(session: Session, script: str, match: str) -> None:
    with pytest.raises(InfrastructureError, match=match):
        session.python(script, limit=50_000)


def test_a_dropped_connection_is_told_by_the_session(server: SshServer) -> None:
    with Session(server.dial(), "test machine", Events()) as session:
        assert session.connected
        session.close()
        assert not session.connected
