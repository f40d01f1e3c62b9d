"""Assembles a disk from files: GPT, ESP with the boot loader, root file system. No loop device, no mount."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from images.layout import ENTRY, ESP_OFFSET, ESP_SERIAL, ESP_SIZE, ROOT_OFFSET, SECTOR, Layout, loader_entry
from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import run

CHUNK = 4 << 20
FOLDERS = ("EFI", "EFI/BOOT", "loader", "loader/entries", "debian")


@dataclass(frozen=True)
class BootFiles:
    """What the ESP gets; `kernel` is the release, as `uname -r` says it."""

    kernel: str
    linux: Path
    initrd: Path
    loader: Path


def find_boot_files(folder: Path) -> BootFiles:
    """The boot files of a base. Raises `InfrastructureError` unless there is exactly one kernel, with all it needs."""
    kernels = sorted(path.name.removeprefix("vmlinuz-") for path in folder.glob("vmlinuz-*"))
    loader = folder / "systemd-bootx64.efi"
    if len(kernels) != 1 or not loader.is_file() or not (folder / f"initrd.img-{kernels[0]}").is_file():
        raise InfrastructureError(
            f"the root file system cannot be booted: kernels {kernels or 'none'}, "
            f"{'a' if loader.is_file() else 'no'} boot loader",
            "the target's packages need one kernel, initramfs-tools, systemd-boot-efi; does the workload add a kernel?",
        )
    kernel = kernels[0]
    return BootFiles(kernel, folder / f"vmlinuz-{kernel}", folder / f"initrd.img-{kernel}", loader)


def extents(descriptor: int) -> Iterator[tuple[int, int, bool]]:
    """Stretches of a sparse file: start, end, whether there is data; in order and without gaps."""
    size = os.fstat(descriptor).st_size
    position = 0
    while position < size:
        try:
            data = os.lseek(descriptor, position, os.SEEK_DATA)
        except OSError:
            data = size
        if data > position:
            yield position, data, False
        if data < size:
            position = os.lseek(descriptor, data, os.SEEK_HOLE)
            yield data, position, True
        else:
            position = size


def file_digest(path: Path) -> str:
    """SHA-256 of the whole file, as sha256sum computes it; holes are not read."""
    total = hashlib.sha256()
    zeros = bytes(CHUNK)
    with path.open("rb", buffering=0) as file:
        for start, end, data in extents(file.fileno()):
            for position in range(start, end, CHUNK):
                length = min(CHUNK, end - position)
                total.update(os.pread(file.fileno(), length, position) if data else zeros[:length])
    return f"sha256:{total.hexdigest()}"


def copy_into(source: Path, target: Path, offset: int) -> None:
    """Copy a file into another one at `offset` bytes; zeros stay holes."""
    zeros = bytes(CHUNK)
    with source.open("rb", buffering=0) as reading, target.open("r+b", buffering=0) as writing:
        for start, end, data in extents(reading.fileno()):
            for position in range(start, end, CHUNK) if data else ():
                block = os.pread(reading.fileno(), min(CHUNK, end - position), position)
                if block != zeros[: len(block)]:
                    written = 0
                    while written < len(block):
                        written += os.pwrite(writing.fileno(), block[written:], offset + position + written)


def fixed_times(epoch: int) -> dict[str, str]:
    """Environment in which the tools write `epoch` (Unix seconds) for every time."""
    return {"SOURCE_DATE_EPOCH": str(epoch), "E2FSPROGS_FAKE_TIME": str(epoch), "TZ": "UTC", "MTOOLS_SKIP_CHECK": "1"}


def esp(disk: Path) -> str:
    """The ESP inside the disk, as mtools take it."""
    return f"{disk}@@{ESP_OFFSET}"


def write_entry(disk: Path, entry: str, *, epoch: int, events: Events) -> None:
    """Write the boot loader's entry into the ESP, over the one that is there."""
    argv = ["mcopy", "-o", "-i", esp(disk), "-", f"::/{ENTRY}"]
    run(argv, events=events, stdin=entry.encode(), env=fixed_times(epoch), hint="apt-get install mtools")


def read_entry(disk: Path, *, events: Events) -> str:
    """The boot loader's entry of a disk."""
    return run(["mtype", "-i", esp(disk), f"::/{ENTRY}"], events=events, hint="apt-get install mtools").text


def assemble(
    disk: Path, root: Path, boot: BootFiles, *, title: str, command_line: str, epoch: int, events: Events
) -> None:
    """Make the disk from its parts; the same parts give the same bytes."""
    layout = Layout(root.stat().st_size)
    with disk.open("wb") as file:
        file.truncate(layout.size)
    env = fixed_times(epoch)
    run(["sfdisk", "-q", str(disk)], events=events, stdin=layout.script().encode(), hint="apt-get install fdisk")
    sectors = str(ESP_SIZE // SECTOR)
    argv = ["mformat", "-i", esp(disk), "-T", sectors, "-h", "255", "-s", "63", "-F", "-v", "ESP", "-N", ESP_SERIAL]
    run([*argv, "::"], events=events, env=env, hint="apt-get install mtools")
    run(["mmd", "-i", esp(disk), *(f"::/{name}" for name in FOLDERS)], events=events, env=env)
    for source, name in (
        (boot.loader, "EFI/BOOT/BOOTX64.EFI"),
        (boot.linux, "debian/linux"),
        (boot.initrd, "debian/initrd"),
    ):
        run(["mcopy", "-i", esp(disk), str(source), f"::/{name}"], events=events, env=env)
    run(["mcopy", "-i", esp(disk), "-", "::/loader/loader.conf"], events=events, env=env, stdin=b"timeout 0\n")
    write_entry(disk, loader_entry(title, boot.kernel, command_line), epoch=epoch, events=events)
    copy_into(root, disk, ROOT_OFFSET)
