"""Ed25519 keys in files: OpenSSH or PEM."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from results.base.errors import UsageError

LIMIT = 1 << 16


def private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key that nobody else can read. Raises `UsageError`."""
    raw = _content(path, private=True)
    try:
        load = forms.load_ssh_private_key if b"OPENSSH" in raw[:60] else forms.load_pem_private_key
        key = load(raw, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(
            f"{path}: no private key without a passphrase", "`sign --generate-key FILE` makes one"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path}: not an Ed25519 key", "`sign --generate-key FILE` makes one")
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key. Raises `UsageError`."""
    raw = _content(path, private=False)
    try:
        load = forms.load_pem_public_key if raw.lstrip().startswith(b"-----BEGIN") else forms.load_ssh_public_key
        key = load(raw)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(f"{path}: no public key", "`--key` takes the .pub file of the signer here") from None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path}: not an Ed25519 key", "ask the signer for the right one")
    return key


def generate(path: Path) -> Path:
    """Make a key pair, FILE (0600) and FILE.pub; nothing is overwritten. Returns the public one's path."""
    key = Ed25519PrivateKey.generate()
    public = path.with_name(path.name + ".pub")
    secret = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, forms.NoEncryption())
    open_ = key.public_key().public_bytes(forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH)
    if public.exists():
        raise UsageError(f"{public}: is there already", "name another file")
    for target, content, mode in ((path, secret, 0o600), (public, open_ + b"\n", 0o644)):
        try:
            with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content)
        except OSError as error:
            raise UsageError(f"{target}: {error.strerror}", "name another file") from None
    return public


def _content(path: Path, *, private: bool) -> bytes:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT:
                raise UsageError(f"{path}: no key file", "`--key` takes a file with one Ed25519 key")
            if private and stat.S_IMODE(status.st_mode) != 0o600:
                mode = stat.S_IMODE(status.st_mode)
                raise UsageError(f"{path}: mode {mode:04o}, and a private key must have 0600", f"chmod 600 {path}")
            return file.read(LIMIT)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "`--key` names the key file") from None
