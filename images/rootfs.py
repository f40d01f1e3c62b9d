"""The root file system: a base of Debian's packages (cached), and on it the workload and the configuration."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from images import apt, ext4, sandbox
from images.cache import Cache, Make, digest, key_of
from images.configure import BOOT_FILES_SETTINGS, BOOT_MODULES, overlay, overlay_tar
from images.layout import MIB, ROOT_UUID
from images.target import Target
from results.base.events import Events
from results.records import Package

STEPS = Path(__file__).with_name("steps")
BASE_ROOM = 1700 * MIB
"""What making a base takes at its peak: the packages, the unpacked tree, its tar."""
IMAGE_ROOM = 1500 * MIB
"""What making a disk takes at its peak: the unpacked tree, the file system, the disk."""
SHELL = "/bin/sh"


def step_digest(*names: str) -> str:
    """Digest of step scripts."""
    return digest(b"".join(hashlib.sha256((STEPS / name).read_bytes()).digest() for name in names))


def parse_packages(text: str) -> tuple[Package, ...]:
    """Packages as the steps list them, sorted."""
    rows = sorted(line.split() for line in text.splitlines() if line.strip())
    return tuple(Package(name=row[0], version=row[1], architecture=row[2]) for row in rows)


@dataclass(frozen=True)
class Base:
    """A base in the cache."""

    folder: Path
    key: str

    @property
    def state(self) -> str:
        """Digest of its packages with their versions: what `build --refresh` may change."""
        return digest((self.folder / "packages.list").read_bytes())


def base_inputs(target: Target, sources: Sequence[str], epoch: int) -> dict[str, str]:
    """What decides a base's content, besides the state of the mirror when it is first made."""
    return {
        "suite": target.suite,
        "architecture": target.architecture,
        "operating system packages": ",".join(sorted(target.packages)),
        "sources": "\n".join(apt.without_secrets(line) for line in sources),
        "epoch": str(epoch),
        "boot files": digest((BOOT_FILES_SETTINGS + " ".join(BOOT_MODULES)).encode()),
        "base steps": step_digest("base.sh", "excluded-paths"),
    }


def _environment(epoch: int) -> dict[str, str]:
    return {
        "SOURCE_DATE_EPOCH": str(epoch),
        "DEBIAN_FRONTEND": "noninteractive",
        "DEBCONF_NONINTERACTIVE_SEEN": "true",
        "PYTHONHASHSEED": "0",
        "ROOT_UUID": ROOT_UUID,
        "TZ": "UTC",
    }


def _keep_packages(fresh: Path, shared: Path) -> None:
    """Keep downloaded packages by name, for the next base; apt checks their digests when it uses them."""
    shared.mkdir(exist_ok=True)
    for path in fresh.glob("*.deb"):
        if not (shared / path.name).exists():
            partial = shared / f".{path.name}.{fresh.parent.parent.name}"
            shutil.copyfile(path, partial)
            partial.rename(shared / path.name)


def base(target: Target, sources: Sequence[str], *, cache: Cache, epoch: int, events: Events, refresh: bool) -> Base:
    """Make the base of a target, or take it from the cache.

    With `refresh` it is made again from what the mirror has now; where that comes to the same packages, the
    entry that is there stays, and everything built on it.
    """
    key = key_of(base_inputs(target, sources, epoch))
    shared = cache.folder / "packages"

    def make(entry: Path) -> None:
        with events.step(f"operating system of {target.name}"):
            work = sandbox.workplace(entry.parent / "work")
            (work / "sources").write_text("".join(f"{line}\n" for line in sources), encoding="utf-8")
            (work / "apt.conf").write_text(apt.connection_settings(events), encoding="utf-8")
            (work / "initramfs.conf").write_text(BOOT_FILES_SETTINGS, encoding="utf-8")
            (work / "initramfs.modules").write_text("".join(f"{name}\n" for name in BOOT_MODULES), encoding="utf-8")
            for name in ("base.sh", "excluded-paths"):
                shutil.copyfile(STEPS / name, work / name)
            sandbox.handed_in(work / "base.tar")
            shared.mkdir(exist_ok=True)
            sandbox.run_step(
                f"operating system of {target.name}",
                [SHELL, "/tmp/job/base.sh", target.suite, ",".join(target.packages)],  # noqa: S108 - inside
                binds={"job": work, "packages": shared},
                environment={**_environment(epoch), "TREE": sandbox.tree_place()},
                events=events,
            )
            (work / "base.tar").chmod(0o644)
            (work / "base.tar").rename(entry / "base.tar")
            shutil.copyfile(work / "packages.list", entry / "packages.list")
            _keep_packages(work / "packages", shared)

    there = cache.find("base", key)
    if refresh and there:
        return Base(_refreshed(cache, there, key, make, events), key)
    return Base(cache.get("base", key, make, room=BASE_ROOM, events=events), key)


def _refreshed(cache: Cache, there: Path, key: str, make: Make, events: Events) -> Path:
    before = (there / "packages.list").read_bytes()
    fresh = cache.get("base", key, make, room=BASE_ROOM, events=events, anew=True)
    same = (fresh / "packages.list").read_bytes() == before
    events.emit("note", "the mirror has the same packages as before" if same else "the mirror has other packages now")
    return fresh


@dataclass(frozen=True)
class RootFileSystem:
    """What `make_root` leaves in its work folder."""

    image: Path
    boot: Path
    packages: tuple[Package, ...]


def root_inputs(target: Target, sources: Sequence[str], epoch: int) -> dict[str, str]:
    """What decides the root file system, besides base and workload."""
    shown = [apt.without_secrets(line) for line in sources]
    return {
        "configuration": digest(overlay_tar(overlay(target, shown, epoch), epoch)),
        "room": str(target.room),
        "image steps": step_digest("image.sh", "finish.sh", "mke2fs.conf"),
    }


def make_root(
    target: Target,
    sources: Sequence[str],
    onto: Base,
    workload: Sequence[Path],
    *,
    cache: Cache,
    work: Path,
    epoch: int,
    events: Events,
) -> RootFileSystem:
    """Install the workload on a base and make the file system. Its scripts see neither the host nor a network."""
    sandbox.workplace(work)
    shown = [apt.without_secrets(line) for line in sources]
    (work / "overlay.tar").write_bytes(overlay_tar(overlay(target, shown, epoch), epoch))
    (work / "apt.conf").write_text(apt.connection_settings(events), encoding="utf-8")
    for name in ("image.sh", "finish.sh", "mke2fs.conf"):
        shutil.copyfile(STEPS / name, work / name)
    (work / "workload").mkdir()
    for number, path in enumerate(workload):
        shutil.copyfile(path, work / "workload" / f"{number}.deb")
    added = sum(path.stat().st_size for path in workload)
    image = sandbox.handed_in(work / "root.ext4")
    sandbox.run_step(
        f"root file system of {target.name}",
        [SHELL, "/tmp/job/image.sh", str(target.room)],  # noqa: S108 - inside
        binds={"job": work, "base": onto.folder},
        environment={**_environment(epoch), "TREE": sandbox.tree_place(added)},
        events=events,
    )
    _keep_packages(work / "packages", cache.folder / "packages")
    ext4.level_times(image, epoch=epoch, events=events)
    packages = parse_packages((work / "packages.list").read_text(encoding="utf-8"))
    return RootFileSystem(image, work / "boot", packages)
