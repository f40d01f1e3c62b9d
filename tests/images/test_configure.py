from __future__ import annotations

import io
import tarfile

from images.configure import command_line, overlay, overlay_tar
from images.target import load_target


def test_the_overlay_is_the_same_each_time() -> None:
    target = load_target("debian-trixie")
    once, again = (overlay_tar(overlay(target, ["deb http://mirror.example/ trixie main"], 7), 7) for _ in range(2))
    assert once == again
    with tarfile.open(fileobj=io.BytesIO(once)) as archive:
        members = archive.getmembers()
    assert {member.mtime for member in members} == {7}
    assert {member.uid for member in members} == {0}


def test_ssh_lets_root_in_by_key_only_and_has_one_host_key() -> None:
    files = {file.path: file.content for file in overlay(load_target("debian-trixie"), [], 7)}
    ssh = files["/etc/ssh/sshd_config.d/10-image.conf"]
    assert "PermitRootLogin prohibit-password" in ssh
    assert ssh.count("HostKey ") == 1
    assert "umask=0077" in files["/etc/fstab"]


def test_the_command_line_names_root_and_console() -> None:
    words = command_line(load_target("debian-trixie")).split()
    assert words[0].startswith("root=PARTUUID=")
    assert "console=ttyS0" in words
