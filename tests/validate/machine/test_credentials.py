"""Credentials: fresh for each machine, readable by systemd and sshd, hidden from logs."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from validate.machine.credentials import Credentials, public_line, smbios_strings


def test_fresh_ones_each_time_and_no_secret_in_a_repr() -> None:
    one, other = Credentials.make(), Credentials.make()
    assert len({public_line(key) for keys in (one, other) for key in (keys.client, keys.host)}) == 4
    assert repr(one) == "Credentials()"


def test_the_guest_gets_our_public_key_and_its_own_private_key() -> None:
    keys = Credentials.make()
    told = keys.systemd()
    assert told["ssh.authorized_keys.root"].strip() == public_line(keys.client)
    kind, path, mode, user, group, age, content = told["tmpfiles.extra"].decode().split()
    assert (kind, path, mode, user, group, age) == ("f~", "/etc/ssh/ssh_host_ed25519_key", "0600", "root", "root", "-")
    assert load_ssh_private_key(base64.b64decode(content), None)
    assert load_ssh_public_key(public_line(keys.host))


def test_smbios_strings() -> None:
    assert smbios_strings({"a.b": b"\x00x"}, ("quiet", "x=1")) == [
        b"io.systemd.credential.binary:a.b=AHg=",
        b"io.systemd.boot.kernel-cmdline-extra=quiet x=1",
    ]
    assert smbios_strings({}) == []
