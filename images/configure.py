"""What makes the packages a machine: network, SSH, mounts, names. All as plain files of an overlay; pure."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass

from images.target import Target

ESP_PARTITION = "8f6b6c1e-2f0f-4c5e-9f4e-6a5d0c3b7a01"
ROOT_PARTITION = "8f6b6c1e-2f0f-4c5e-9f4e-6a5d0c3b7a02"
ESP_MOUNT = "/boot/efi"

# A virtual machine's ways to its disk. `MODULES=most` makes the boot files four times as large and slow to unpack.
BOOT_MODULES = (
    *("virtio_pci", "virtio_blk", "virtio_scsi", "nvme", "ahci", "sd_mod", "sr_mod"),
    *("xen-blkfront", "hv_vmbus", "hv_storvsc", "ext4", "crc32c"),
)
BOOT_FILES_SETTINGS = "MODULES=list\nCOMPRESS=zstd\nFSTYPE=ext4\n"

NETWORK = """\
[Match]
Name=en* eth*

[Network]
DHCP=yes
"""

SSH = """\
# The image holds no key: the machine's host key and root's client key come as credentials when it starts.
HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
"""

SSH_FIRST = """\
# While the machine starts, the way in gets the processor first: who waits for it is let in when the rest is up.
[Service]
StartupCPUWeight=10000
"""

HOST_KEY_UNIT = """\
[Unit]
Description=Make an SSH host key where no credential brought one
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
After=systemd-tmpfiles-setup.service
Before=ssh.service ssh.socket

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N "" -C "" -f /etc/ssh/ssh_host_ed25519_key

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Plain:
    """A file of the overlay; owned by root. `path` is absolute."""

    path: str
    content: str
    mode: int = 0o644


def command_line(target: Target) -> str:
    """Kernel parameters of the baseline."""
    return " ".join((f"root=PARTUUID={ROOT_PARTITION}", "rw", *target.kernel_parameters))


def overlay(target: Target, sources: Sequence[str], epoch: int) -> tuple[Plain, ...]:
    """The files that configure the machine. `sources` are the one-line apt sources that it was built from."""
    # Stamps say that /etc and /var fit this /usr, so that no first boot updates what is up to date.
    stamp = f"# The image was made with these in step.\nTIMESTAMP_NSEC={epoch}000000000\n"
    return (
        Plain("/etc/hostname", f"{target.hostname}\n"),
        Plain("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {target.hostname}\n::1 localhost ip6-localhost\n"),
        Plain("/etc/locale.conf", "LANG=C.UTF-8\n"),
        Plain(
            "/etc/fstab",
            f"PARTUUID={ROOT_PARTITION} / ext4 errors=remount-ro 0 0\n"
            f"PARTUUID={ESP_PARTITION} {ESP_MOUNT} vfat umask=0077,x-systemd.device-timeout=5min 0 0\n",
        ),
        Plain("/etc/systemd/network/80-dhcp.network", NETWORK),
        Plain("/etc/ssh/sshd_config.d/10-image.conf", SSH),
        Plain("/etc/systemd/system/ssh.service.d/10-image.conf", SSH_FIRST),
        Plain("/etc/systemd/system/ssh-host-key.service", HOST_KEY_UNIT),
        Plain("/etc/apt/sources.list", "".join(f"{line}\n" for line in sources)),
        Plain("/etc/.updated", stamp),
        Plain("/var/.updated", stamp),
    )


def overlay_tar(files: Sequence[Plain], epoch: int) -> bytes:
    """The overlay as a tar; the mount point of the ESP is its only folder (others exist, or get the default)."""
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w", format=tarfile.GNU_FORMAT) as archive:
        folder = tarfile.TarInfo(f".{ESP_MOUNT}")
        folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, 0o700, epoch
        archive.addfile(folder)
        for file in files:
            content = file.content.encode()
            header = tarfile.TarInfo(f".{file.path}")
            header.size, header.mode, header.mtime = len(content), file.mode, epoch
            archive.addfile(header, io.BytesIO(content))
    return room.getvalue()
