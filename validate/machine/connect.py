"""Ways to an authenticated SSH connection; each of them knows the host key beforehand."""

from __future__ import annotations

import hmac
import logging

import paramiko

from results.base.errors import InfrastructureError
from validate.machine.greeting import NotYetError, greeted

LOOPBACK = "127.0.0.1"
WINDOW = 1 << 23
"""Bytes in flight: large answers under emulation should not wait for window updates."""

logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False  # its thread would print tracebacks of every dropped connection


class WrongHostKeyError(InfrastructureError):
    """Somebody answered who does not hold the pinned key: never tried again, never gone on with."""


def connect_pinned(
    port: int, user: str, client: paramiko.PKey, host_key: bytes, *, timeout: float, patience: float | None = None
) -> paramiko.Transport:
    """Connect to a loopback port; only the holder of `host_key` (an OpenSSH public line) will do.

    Neither the user's known_hosts nor an agent nor a password plays a part. Raises `NotYetError` when nobody
    answers within `timeout` seconds (or says a first word within `patience` seconds), and `WrongHostKeyError` or
    `InfrastructureError` when trying again is no use.
    """
    transport = _transport(LOOPBACK, port, timeout, min(timeout, patience or timeout))
    try:
        transport.get_security_options().key_types = ("ssh-ed25519",)
        transport.start_client(timeout=timeout)
        _expect(transport.get_remote_server_key(), host_key, port)
        transport.auth_publickey(user, client)
    except paramiko.AuthenticationException as error:
        transport.close()
        if not transport.is_active() and "timeout" in str(error).lower():
            raise NotYetError(str(error)) from None
        raise InfrastructureError(
            f"the machine refuses the run's own key for {user}: {error}",
            "does the image let root in by key, and does its systemd read SMBIOS credentials?",
        ) from None
    except paramiko.ssh_exception.IncompatiblePeer as error:
        transport.close()
        raise WrongHostKeyError(f"the machine offers no Ed25519 host key: {error}", _HINT) from None
    except (paramiko.SSHException, OSError, EOFError) as error:
        transport.close()
        raise NotYetError(str(error) or type(error).__name__) from None
    except BaseException:
        transport.close()
        raise
    return transport


_HINT = "the image must hold no host key of its own, and use the one that the run hands to it"


def _transport(host: str, port: int, timeout: float, patience: float) -> paramiko.Transport:
    transport = paramiko.Transport(greeted(host, port, patience), default_window_size=WINDOW)
    transport.daemon = True
    transport.banner_timeout = timeout
    transport.handshake_timeout = timeout
    transport.auth_timeout = timeout
    return transport


def _expect(seen: paramiko.PKey, pinned: bytes, port: int) -> None:
    line = f"{seen.get_name()} {seen.get_base64()}".encode()
    if not hmac.compare_digest(line, b" ".join(pinned.split()[:2])):
        raise WrongHostKeyError(f"the SSH host key at {LOOPBACK}:{port} is not the one of this run", _HINT)


def connect_by_known_hosts(host: str, port: int, user: str, identity: str | None, timeout: float) -> paramiko.Transport:
    """Connect to a machine of the user's, strictly by the user's own known_hosts. Raises `InfrastructureError`."""
    client = paramiko.SSHClient()
    client.load_system_host_keys()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    where = f"{user}@{host}:{port}"
    try:
        client.connect(
            host, port, user, key_filename=identity, timeout=timeout, banner_timeout=timeout, auth_timeout=timeout
        )
    except paramiko.BadHostKeyException:
        raise WrongHostKeyError(
            f"{where}: its host key is not the one in ~/.ssh/known_hosts",
            "if the machine was really made anew, remove the old line with `ssh-keygen -R`",
        ) from None
    except paramiko.AuthenticationException as error:
        raise InfrastructureError(f"{where}: not let in: {error}", "name a private key with --identity") from None
    except (paramiko.SSHException, OSError, EOFError) as error:
        unknown = "not found in known_hosts" in str(error)
        hint = (
            f"connect once by hand: ssh -p {port} {user}@{host}" if unknown else "is it up, and is that its SSH port?"
        )
        raise InfrastructureError(f"{where}: {error}", hint) from None
    transport = client.get_transport()
    if transport is None:
        raise InfrastructureError(f"{where}: the connection was lost at once")
    return transport
