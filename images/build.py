"""Builds a target's disks, or takes them from the cache: the one entrance to this part."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from images import apt, disk, rootfs
from images.cache import Cache, digest, key_of
from images.configure import command_line
from images.harden_disk import HardeningTree, harden
from images.inspect_disk import manifest
from images.layout import ESP_SIZE, MIB
from images.target import Target
from results.base.events import Events
from results.base.strict import load_json
from results.records import ImageRecord, Package, Variant

EPOCH = 1_760_000_000
"""Unix seconds: the latest time in an image, unless SOURCE_DATE_EPOCH says other."""
FORMAT = "1"
"""Raised when the way in which disks are put together changes, so that older entries are not used."""
DISK = "disk.raw"
RECORD = "image.json"
HARDENED_ROOM = 600 * MIB


class WorkloadChoice(Protocol):
    """What product goes into the images."""

    @property
    def name(self) -> str:
        """`reference`, or the packages' names."""

    @property
    def paths(self) -> Sequence[Path]:
        """The user's own packages; none for the reference workload."""


@dataclass(frozen=True)
class BuiltImage:
    """A disk in the cache, with its record."""

    record: ImageRecord
    folder: Path
    disk: Path


def build_target(
    target: Target,
    *,
    tree: HardeningTree,
    workload: WorkloadChoice,
    variants: Sequence[Variant],
    cache: Cache,
    events: Events,
    refresh: bool = False,
) -> dict[Variant, BuiltImage]:
    """Build the disks of the chosen variants; what is in the cache is not made again, and needs no network.

    With `refresh`, the mirror is asked again for the operating system's packages. Raises `UsageError` for a
    workload or tree that does not fit, `InfrastructureError` for host and mirror.
    """
    build = _Build(target, tree, workload, cache, events, apt.discover(target), _epoch())
    base = build.base(refresh=refresh)
    built: dict[Variant, BuiltImage] = {}
    baseline: BuiltImage | None = None
    for variant in dict.fromkeys(variants):
        hardened_there = cache.find("hardened", build.hardened_key(base)) if variant == "hardened" else None
        if hardened_there:
            built[variant] = load_image(hardened_there)
            continue
        baseline = baseline or build.baseline(base)
        built[variant] = baseline if variant == "baseline" else build.hardened(base, baseline)
    return built


def load_image(folder: Path) -> BuiltImage:
    """Read an image that was built before. Raises `UsageError` for a record of another version."""
    record: ImageRecord = load_json(folder / RECORD, ImageRecord)
    return BuiltImage(record, folder, folder / record.disk)


def tree_digest(tree: HardeningTree) -> str:
    """Digest of everything in a tree that reaches the disk or its record."""
    parts = [
        f"{file.path}|{file.mode}|{file.owner}|{file.group}|{file.controls}|{digest(file.content)}"
        for file in tree.files
    ]
    return digest("\n".join([*parts, *tree.kernel_parameters]).encode())


def workload_inputs(workload: WorkloadChoice) -> dict[str, str]:
    """Digests of what the workload is made from: sources for the reference, packages for the user's own."""
    if not workload.paths:
        from images.workload.package import reference_inputs  # noqa: PLC0415 - only if it is wanted

        return {"workload": key_of(reference_inputs())}
    return {f"workload {path.name}": disk.file_digest(path) for path in sorted(workload.paths)}


def _epoch() -> int:
    return int(os.environ.get("SOURCE_DATE_EPOCH") or EPOCH)


@dataclass(frozen=True)
class _Build:
    """One target's inputs, and the steps on them."""

    target: Target
    tree: HardeningTree
    workload: WorkloadChoice
    cache: Cache
    events: Events
    sources: tuple[str, ...]
    epoch: int

    def base(self, *, refresh: bool) -> rootfs.Base:
        return rootfs.base(
            self.target, self.sources, cache=self.cache, epoch=self.epoch, events=self.events, refresh=refresh
        )

    def inputs(self, base: rootfs.Base) -> dict[str, str]:
        """Everything that decides the baseline disk."""
        return {
            "format": FORMAT,
            **rootfs.base_inputs(self.target, self.sources, self.epoch),
            "packages resolved": base.state,
            **rootfs.root_inputs(self.target, self.sources, self.epoch),
            **workload_inputs(self.workload),
            "kernel command line": command_line(self.target),
            "title": self.target.title,
        }

    def hardened_inputs(self, base: rootfs.Base) -> dict[str, str]:
        return {**self.inputs(base), "hardening tree": tree_digest(self.tree)}

    def hardened_key(self, base: rootfs.Base) -> str:
        return key_of(self.hardened_inputs(base))

    def packages(self) -> Sequence[Path]:
        """The workload's packages; the reference workload is compiled if need be."""
        if self.workload.paths:
            return tuple(sorted(self.workload.paths))
        from images.workload.package import reference_package  # noqa: PLC0415 - only if it is wanted

        folder = self.cache.folder / "workload"
        folder.mkdir(parents=True, exist_ok=True)
        return (reference_package(self.target.suite, self.sources, cache=folder, events=self.events),)

    def baseline(self, base: rootfs.Base) -> BuiltImage:
        inputs = self.inputs(base)

        def make(entry: Path) -> None:
            workload = self.packages()
            with self.events.step(f"{self.target.name} baseline"):
                root = rootfs.make_root(
                    self.target,
                    self.sources,
                    base,
                    workload,
                    cache=self.cache,
                    work=entry.parent / "work",
                    epoch=self.epoch,
                    events=self.events,
                )
                boot = disk.find_boot_files(root.boot)
                parameters = command_line(self.target)
                disk.assemble(
                    entry / DISK,
                    root.image,
                    boot,
                    title=self.target.title,
                    command_line=parameters,
                    epoch=self.epoch,
                    events=self.events,
                )
                self._record(entry, "baseline", inputs, boot.kernel, parameters, root.packages)

        room = rootfs.IMAGE_ROOM + ESP_SIZE
        return load_image(self.cache.get("baseline", key_of(inputs), make, room=room, events=self.events))

    def hardened(self, base: rootfs.Base, baseline: BuiltImage) -> BuiltImage:
        inputs = self.hardened_inputs(base)

        def make(entry: Path) -> None:
            with self.events.step(f"{self.target.name} hardened"):
                options = harden(baseline.disk, entry / DISK, self.tree, epoch=self.epoch, events=self.events)
                record = baseline.record
                self._record(entry, "hardened", inputs, record.kernel, options, record.packages)

        key = key_of(inputs)
        return load_image(self.cache.get("hardened", key, make, room=HARDENED_ROOM, events=self.events))

    def _record(
        self,
        entry: Path,
        variant: Variant,
        inputs: dict[str, str],
        kernel: str,
        options: str,
        packages: tuple[Package, ...],
    ) -> None:
        path = entry / DISK
        controls = {file.path: file.controls for file in self.tree.files} if variant == "hardened" else {}
        record = ImageRecord(
            target=self.target.name,
            variant=variant,
            workload=self.workload.name,
            disk=DISK,
            sha256=disk.file_digest(path),
            size=path.stat().st_size,
            architecture=self.target.architecture,
            inputs=inputs,
            kernel=kernel,
            kernel_command_line=options,
            packages=packages,
            files=manifest(path, controls, events=self.events) if controls else (),
        )
        (entry / RECORD).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
