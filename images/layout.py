"""The disk's layout: where partitions lie, what they are called. Numbers and text only."""

from __future__ import annotations

from dataclasses import dataclass

from images.configure import ESP_PARTITION, ROOT_PARTITION

MIB = 1 << 20
SECTOR = 512
DISK_ID = "8f6b6c1e-2f0f-4c5e-9f4e-6a5d0c3b7a00"
ROOT_UUID = "8f6b6c1e-2f0f-4c5e-9f4e-6a5d0c3b7a03"
ESP_SERIAL = "d075fa11"
ESP_TYPE = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
ROOT_TYPE = "4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709"  # root of x86-64, of the discoverable partitions
ENTRY = "loader/entries/debian.conf"

ESP_OFFSET = 1 * MIB
ESP_SIZE = 96 * MIB
ROOT_OFFSET = ESP_OFFSET + ESP_SIZE


@dataclass(frozen=True)
class Layout:
    """A disk with a root file system of `root_size` bytes."""

    root_size: int

    @property
    def size(self) -> int:
        """Of the whole disk, bytes: a MiB stays for the second partition table."""
        return ROOT_OFFSET + self.root_size + MIB

    def script(self) -> str:
        """The partition table, as sfdisk reads it; nothing in it is left to chance."""
        esp = f"start={ESP_OFFSET // SECTOR}, size={ESP_SIZE // SECTOR}, type={ESP_TYPE}"
        root = f"start={ROOT_OFFSET // SECTOR}, size={self.root_size // SECTOR}, type={ROOT_TYPE}"
        return (
            f"label: gpt\nlabel-id: {DISK_ID}\nunit: sectors\n"
            f"{esp}, name=esp, uuid={ESP_PARTITION}\n{root}, name=root, uuid={ROOT_PARTITION}\n"
        )


def loader_entry(title: str, kernel: str, command_line: str) -> str:
    """The boot loader's entry."""
    return f"title {title}\nversion {kernel}\nlinux /debian/linux\ninitrd /debian/initrd\noptions {command_line}\n"


def entry_options(entry: str) -> str:
    """The kernel command line of a boot loader entry."""
    lines = [line.removeprefix("options").strip() for line in entry.splitlines() if line.startswith("options")]
    return " ".join(lines)
