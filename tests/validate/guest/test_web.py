"""The upstream server of the probes, and the proxy client against a small proxy of our own."""

from __future__ import annotations

import socket
import threading

from validate.guest import web


def proxy_once(answer: bytes | None) -> tuple[str, int]:
    """A proxy for one client: a fixed answer, or (None) a real CONNECT tunnel."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        client, _ = listener.accept()
        with client, listener:
            request = web.read_head(client)
            if answer is not None:
                client.sendall(answer)
                return
            host, _, port = request.split()[1].decode().partition(":")
            with socket.create_connection((host, int(port))) as site:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                site.sendall(web.read_head(client))
                client.sendall(web.read_all(site))

    threading.Thread(target=serve, daemon=True).start()
    address: tuple[str, int] = listener.getsockname()
    return address


def test_tunnel_reaches_the_upstream() -> None:
    with web.upstream("127.0.0.1") as site:
        answer = web.tunnel(proxy_once(None), site.host)
    assert answer.status == 200
    assert web.BODY in answer.data


def test_refusal_of_a_tunnel_is_the_answer() -> None:
    assert web.tunnel(proxy_once(b"HTTP/1.1 403 Forbidden\r\n\r\n"), "blocked.example:443").status == 403


def test_get() -> None:
    assert web.get(proxy_once(b"HTTP/1.1 200 OK\r\n\r\nx"), "http://a/", "a") == (200, b"HTTP/1.1 200 OK\r\n\r\nx")


def test_what_is_not_http_has_no_status() -> None:
    for data in (b"", b"SSH-2.0-x\r\n", b"HTTP/1.1", b"HTTP/1.1 abc\r\n"):
        assert web.parsed(data).status == 0


def test_an_endless_answer_is_cut() -> None:
    assert len(web.get(proxy_once(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (1 << 20)), "http://a/", "a").data) < 1 << 17
