"""Another builder at the same work, for `bench`: mkosi, where the host has it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from images import apt
from images.target import Target
from results.base.events import Events
from results.base.process import run, which

MKOSI = "mkosi"
SECONDS = 1800.0
OTHERWISE = {"initramfs-tools"}
"""Packages for which a bootable image of mkosi's has another (dracut), and that do not go together with it."""
SYSTEM_BUS = Path("/run/dbus/system_bus_socket")
FILE_SYSTEMS = Path("/proc/filesystems")


@dataclass(frozen=True)
class Peer:
    """mkosi with a folder of its own, building one image of a target's packages."""

    target: Target
    folder: Path
    events: Events

    @property
    def bootable(self) -> bool:
        """Whether it can make a boot partition: it mounts what it makes, so the kernel has to know vfat."""
        return "vfat" in FILE_SYSTEMS.read_text(encoding="ascii").split()

    @property
    def words(self) -> list[str]:
        """The whole command line, but for what differs from build to build."""
        packages = [name for name in self.target.packages if not (self.bootable and name in OTHERWISE)]
        told = ["--distribution", "debian", "--release", self.target.suite, "--format", "gpt_ext4"]
        told += ["--mirror", mirror(self.target), "--package", ",".join(packages)]
        told += ["--root-size", "3G", "--output", "image.raw", "--extra-tree", "extra"]
        told += ["--bootable"] if self.bootable else []
        told += [] if SYSTEM_BUS.exists() else ["--nspawn-keep-unit"]  # nobody is there to make it a unit
        return [MKOSI, "-C", str(self.folder), "--force", *told]

    def cold(self) -> None:
        """Everything anew, downloads included. Raises `InfrastructureError`."""
        self._run([*self.words, "--cache", "packages-of-one-build"])

    def cached(self, content: str) -> None:
        """From mkosi's own cache of the root file system, with one changed file. The first of these fills the cache."""
        changed = self.folder / "extra" / "etc" / "changed"
        changed.write_text(content, encoding="utf-8")
        self._run([*self.words, "--incremental"])

    def _run(self, argv: list[str]) -> None:
        run(argv, events=self.events, timeout=SECONDS, hint="`bench` times mkosi because it is here; does it work?")


def mirror(target: Target) -> str:
    """The archive that our own build takes packages from."""
    found = re.search(r"\S+://\S+", apt.discover(target)[0])
    return found[0] if found else ""


def why_not() -> str:
    """Why mkosi cannot be timed; empty when it can."""
    if which(MKOSI) is None:
        return "mkosi is not on this host"
    return "" if os.geteuid() == 0 else "mkosi wants root"


@contextmanager
def peer(target: Target, parent: Path, events: Events) -> Iterator[Peer]:
    """A folder for it, which is thrown away."""
    with TemporaryDirectory(prefix="peer-", dir=parent) as folder:
        (Path(folder) / "extra" / "etc").mkdir(parents=True)
        yield Peer(target, Path(folder), events)
