"""Keys of one run: made in memory, handed to the guest as systemd credentials, gone with the process.

The client's private key never leaves this process. The host's private key goes to QEMU through anonymous
memory, not through a file. The image holds neither, so there is no trust on first use.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HOST_KEY_PATH = "/etc/ssh/ssh_host_ed25519_key"
AUTHORIZED_KEYS = "ssh.authorized_keys.root"
TMPFILES = "tmpfiles.extra"


def private_text(key: Ed25519PrivateKey) -> bytes:
    """The private key in OpenSSH's own format, as sshd wants it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def public_line(key: Ed25519PrivateKey) -> bytes:
    """The public key as one line of authorized_keys, without a comment."""
    return key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)


@dataclass(frozen=True)
class Credentials:
    """The two keys of one machine. Their text never shows in a repr."""

    client: Ed25519PrivateKey = field(repr=False)
    host: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def make(cls) -> Credentials:
        """Make fresh ones."""
        return cls(Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate())

    def systemd(self) -> dict[str, bytes]:
        """The systemd credentials that let our client in, and give the guest the host key that we pinned."""
        content = base64.b64encode(private_text(self.host)).decode()
        return {
            AUTHORIZED_KEYS: public_line(self.client) + b"\n",
            TMPFILES: f"f~ {HOST_KEY_PATH} 0600 root root - {content}\n".encode(),
        }


def smbios_strings(credentials: Mapping[str, bytes], kernel_arguments: tuple[str, ...] = ()) -> list[bytes]:
    """SMBIOS strings of type 11: one for each credential, and one with more of the kernel's command line.

    systemd-boot appends the latter from version 254 on; older ones ignore it.
    """
    strings = [
        b"io.systemd.credential.binary:" + name.encode() + b"=" + base64.b64encode(value)
        for name, value in credentials.items()
    ]
    if kernel_arguments:
        strings.append(b"io.systemd.boot.kernel-cmdline-extra=" + " ".join(kernel_arguments).encode())
    return strings
