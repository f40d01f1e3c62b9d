"""The reference workload's programs, run on this host as far as they go without a machine: the filter and the ctl."""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import signal
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen

import pytest

from images.workload.package import reference_package
from results.base.events import Events
from results.base.process import end, run, spawn

pytestmark = pytest.mark.build


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built for this host's own suite and unpacked."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    suite = re.search(r"^VERSION_CODENAME=(\w+)$", release, re.MULTILINE)
    lists = [path for path in Path("/etc/apt").rglob("*") if path.suffix in (".list", ".sources")]
    mirror = re.search(r"\bhttps?://[^\s\]]+/debian/?(?=\s)", "\n".join(path.read_text("utf-8") for path in lists))
    assert suite, "this host does not say which suite it is"
    assert mirror, "apt on this host knows no Debian mirror"
    folder = tmp_path_factory.mktemp("programs")
    sources = [f"deb {mirror[0]} {suite[1]} main"]
    package = reference_package(suite[1], sources, cache=folder / "cache", events=Events())
    raw = run(["dpkg-deb", "--fsys-tarfile", str(package)], events=Events()).stdout
    with tarfile.open(fileobj=io.BytesIO(raw)) as file:
        for name in ("filter", "ctl", "daemon", "monitor"):
            content = file.extractfile(f"./usr/bin/dots-family-{name}")
            assert content is not None
            (folder / name).write_bytes(content.read())
            (folder / name).chmod(0o755)
    return folder


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Origin:
    """A web server that answers every request with the header that it got, once a connection."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                with client:
                    got = client.recv(65536)
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(got) + got)


@pytest.fixture
def origin() -> Iterator[Origin]:
    server = Origin()
    yield server
    server.listener.close()


class Proxy:
    """A filter that runs."""

    def __init__(self, process: Popen[bytes], port: int, block_list: Path) -> None:
        self.process, self.port, self.block_list = process, port, block_list

    def ask(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            parts = []
            with contextlib.suppress(ConnectionResetError):
                while part := client.recv(65536):
                    parts.append(part)
        return b"".join(parts)

    def status(self, url: str, method: str = "GET") -> int:
        return int(self.ask(f"{method} {url} HTTP/1.1\r\nHost: x\r\n\r\n".encode()).split()[1])


Start = Callable[..., Proxy]


@pytest.fixture
def start(programs: Path, tmp_path: Path) -> Iterator[Start]:
    running: list[Popen[bytes]] = []

    def starter(*, allow_local: bool = False, **settings: str) -> Proxy:
        block_list = tmp_path / "blocklist"
        block_list.write_text("# ours\nblocked.example\n *.Wild.Example. # all\n\n", encoding="utf-8")
        port = free_port()
        env = {**os.environ, "FILTER_BLOCKLIST": str(block_list), "FILTER_ALLOW_LOCAL": "yes" if allow_local else "no"}
        argv = [str(programs / "filter"), "--bind-address", "127.0.0.1", "--port", str(port)]
        process = spawn(argv, env={**env, **settings}, stdout=None, stderr=None)
        running.append(process)
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        return Proxy(process, port, block_list)

    yield starter
    for process in running:
        end(process)


def test_get_is_forwarded_as_the_origin_wants_it(start: Start, origin: Origin) -> None:
    proxy = start(allow_local=True)
    request = (
        f"GET http://127.0.0.1:{origin.port}/a?b=c HTTP/1.1\r\nHost: forged.example\r\n"
        "Proxy-Authorization: secret\r\nX-Kept: yes\r\nConnection: keep-alive\r\n\r\n"
    )
    answer = proxy.ask(request.encode())
    assert b"GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:" in answer
    assert b"X-Kept: yes" in answer
    assert b"Connection: close" in answer
    assert b"forged" not in answer
    assert b"secret" not in answer


def test_a_second_request_does_not_ride_along(start: Start, origin: Origin) -> None:
    proxy = start(allow_local=True)
    first = f"GET http://127.0.0.1:{origin.port}/one HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = proxy.ask(first.encode() + b"GET http://blocked.example/two HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"/one" in answer
    assert b"/two" not in answer


def test_connect_is_a_tunnel(start: Start, origin: Origin) -> None:
    proxy = start(allow_local=True)
    answer = proxy.ask(f"CONNECT 127.0.0.1:{origin.port} HTTP/1.1\r\n\r\nany bytes".encode())
    assert answer.startswith(b"HTTP/1.1 200 Connection established\r\n\r\n")
    assert answer.endswith(b"any bytes")


@pytest.mark.parametrize(
    "url",
    [
        "http://blocked.example/",
        "http://a.b.BLOCKED.example./",
        "http://blocked.example:8080/",
        "http://wild.example/",
        "http://www.wild.example/",
        "http://127.0.0.1/",
        "http://127.1.2.3/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://[fe80::1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://localhost/",
    ],
)
def test_blocked_and_local_are_forbidden(start: Start, url: str) -> None:
    proxy = start()
    assert proxy.status(url) == 403


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET ftp://x/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://user@127.0.0.1/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://x:0/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://x:65536/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http:/// HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT x HTTP/1.1\r\n\r\n", 400),
        (b"get http://x/ HTTP/1.1\r\n\r\n", 400),
        (b"GET http://x/ HTTP/2.0\r\n\r\n", 400),
        (b"GET http://x/\0 HTTP/1.1\r\n\r\n", 400),
        (b"GET http://x/ HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST http://x/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST http://x/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST http://x/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET http://x/ HTTP/1.1\r\nA: " + b"a" * 20000 + b"\r\n\r\n", 431),
        (b"GET http://127.0.0.1:1/ HTTP/1.1\r\n\r\n", 502),
        (b"GET http://no-such-host.invalid/ HTTP/1.1\r\n\r\n", 502),
    ],
)
def test_bad_requests(start: Start, request_bytes: bytes, status: int) -> None:
    proxy = start(allow_local=True)
    assert int(proxy.ask(request_bytes).split()[1]) == status


def test_a_slow_client_is_sent_away(start: Start) -> None:
    proxy = start(FILTER_HEADER_SECONDS="1")
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
        client.sendall(b"GET http://")
        assert client.recv(100).startswith(b"HTTP/1.1 408")


def test_garbage_does_not_stop_it(start: Start) -> None:
    proxy = start()
    chance = random.Random(7)  # noqa: S311 - the same garbage each time
    for number in range(300):
        garbage = chance.randbytes(chance.randrange(300)) + chance.choice([b"\r\n\r\n", b"\n", b""])
        proxy.ask(b"GET http://" + garbage if number % 2 else garbage)
    assert proxy.process.poll() is None
    assert proxy.status("http://blocked.example/") == 403


def test_reload_takes_a_new_list_and_keeps_the_old_when_there_is_none(start: Start) -> None:
    proxy = start()
    proxy.block_list.write_text("".join(f"site{n}.example\n" for n in range(100_000)), encoding="utf-8")
    proxy.process.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert proxy.status("http://www.site99999.example/") == 403
    proxy.block_list.unlink()
    proxy.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert proxy.status("http://www.site99999.example/") == 403
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(10) == 0


def test_without_a_list_it_does_not_start(programs: Path, tmp_path: Path) -> None:
    env = {"FILTER_BLOCKLIST": str(tmp_path / "none")}
    done = run(
        [str(programs / "filter"), "--port", str(free_port())], events=Events(), check=False, env=env, timeout=10
    )
    assert done.status == 1
    assert "No such file" in done.tail


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["--help"], 0, "profile create"),
        ([], 2, "Exit status"),
    ],
)
def test_ctl_words(programs: Path, words: list[str], status: int, says: str) -> None:
    done = run([str(programs / "ctl"), *words], events=Events(), check=False, timeout=10)
    assert done.status == status
    assert says in (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("name", ["daemon", "monitor"])
def test_arguments_that_are_not_taken(programs: Path, name: str) -> None:
    done = run([str(programs / name), "--verbose"], events=Events(), check=False, timeout=10)
    assert done.status == 2
    assert "takes no arguments" in done.tail
