from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from images.disk import copy_into, file_digest, find_boot_files
from images.layout import MIB, ROOT_OFFSET, Layout, entry_options, loader_entry
from results.base.errors import InfrastructureError


def sparse(path: Path) -> bytes:
    content = bytearray(9 * MIB)
    content[5 * MIB : 5 * MIB + 3] = b"abc"
    content[-1] = 7
    with path.open("wb") as file:
        file.truncate(len(content))
        for position in (5 * MIB, len(content) - MIB):
            file.seek(position)
            file.write(content[position : position + MIB])
    return bytes(content)


def test_the_digest_is_that_of_sha256sum(tmp_path: Path) -> None:
    content = sparse(tmp_path / "disk")
    assert file_digest(tmp_path / "disk") == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_copies_keep_holes(tmp_path: Path) -> None:
    content = sparse(tmp_path / "source")
    with (tmp_path / "target").open("wb") as file:
        file.truncate(12 * MIB)
    copy_into(tmp_path / "source", tmp_path / "target", MIB)
    assert (tmp_path / "target").read_bytes() == bytes(MIB) + content + bytes(2 * MIB)
    assert (tmp_path / "target").stat().st_blocks * 512 < 9 * MIB


def test_the_partition_table_leaves_nothing_to_chance() -> None:
    layout = Layout(512 * MIB)
    text = layout.script()
    assert layout.size == ROOT_OFFSET + 513 * MIB
    assert text.count("uuid=") == 2
    assert "label-id: " in text
    ends = []
    for line in text.splitlines()[3:]:
        fields = dict(part.strip().split("=") for part in line.split(","))
        ends.append((int(fields["start"]), int(fields["start"]) + int(fields["size"])))
        assert int(fields["start"]) % 2048 == 0
    assert ends[0][1] <= ends[1][0]
    assert ends[1][1] * 512 <= layout.size - 33 * 512


def test_a_loader_entry_gives_its_options_back() -> None:
    entry = loader_entry("Debian 13", "6.12", "root=PARTUUID=x rw audit=1")
    assert entry_options(entry) == "root=PARTUUID=x rw audit=1"
    assert "linux /debian/linux\n" in entry


def test_a_tree_that_cannot_boot_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="cannot be booted"):
        find_boot_files(tmp_path)
    for name in ("vmlinuz-6.12", "initrd.img-6.12", "systemd-bootx64.efi"):
        (tmp_path / name).touch()
    assert find_boot_files(tmp_path).kernel == "6.12"
    (tmp_path / "vmlinuz-6.13").touch()
    with pytest.raises(InfrastructureError, match=r"6\.12.*6\.13"):
        find_boot_files(tmp_path)
