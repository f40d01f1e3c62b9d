"""NixOS images: made by Nix from `nix/flake.nix`, where the host has Nix and somewhere to take store paths from.

An image is a folder with the disk, `image.json` as for every target, and `nixos.json`: where the programs lie.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from images import disk
from images.build import RECORD, BuiltImage, load_image
from images.cache import Cache, key_of
from images.layout import MIB
from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import run as run_command
from results.base.process import which
from results.records import ImageRecord, Variant

DISK = "disk.raw"
NIX = Path(__file__).parent.parent / "nix"
STORE = "nixos.json"
LEAST = (2, 18)
ROOM = 8192 * MIB
EXPERIMENTAL = ("--extra-experimental-features", "nix-command flakes")
SUPPLY = (
    "install Nix 2.18 or newer and give it a source of store paths in nix.conf: a substituter (a local store "
    "by its path is one, too) or a remote builder (`substituters`, `builders`); or give ready images: "
    "--image baseline=FOLDER --image hardened=FOLDER"
)


@dataclass(frozen=True)
class Sources:
    """What Nix on this host could take store paths from."""

    reached: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    builders: str = ""


def nix_version(events: Events) -> tuple[int, ...]:
    """Of the `nix` on PATH; empty where there is none."""
    if which("nix") is None:
        return ()
    found = re.search(r"([0-9]+(?:\.[0-9]+)+)", run_command(["nix", "--version"], events=events, check=False).text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def settings(text: str) -> dict[str, str]:
    """`nix show-config` as names and values."""
    pairs = (line.partition(" = ") for line in text.splitlines())
    return {name.strip(): value.strip() for name, found, value in pairs if found}


def find_sources(events: Events) -> Sources:
    """Ask every configured substituter whether it is there; five seconds each."""
    argv = ["nix", *EXPERIMENTAL, "show-config"]
    known = settings(run_command(argv, events=events, check=False, timeout=30).text)
    reached: list[str] = []
    silent: list[str] = []
    for url in known.get("substituters", "").split():
        ping = ["nix", *EXPERIMENTAL, "store", "ping", "--store", url, "--option", "connect-timeout", "5"]
        done = run_command(ping, events=events, check=False, timeout=30)
        (silent if done.status else reached).append(url)
    builders = known.get("builders", "")
    file = Path(builders[1:]) if builders.startswith("@") else None
    listed = file.read_text(encoding="utf-8").strip() if file and file.is_file() else "" if file else builders
    return Sources(tuple(reached), tuple(silent), listed)


def lacking(events: Events) -> str:
    """What this host lacks to build NixOS; empty when nothing."""
    version = nix_version(events)
    if not version:
        return "there is no `nix` on PATH"
    if version < LEAST:
        return f"nix is {'.'.join(map(str, version))}, and nixpkgs wants {'.'.join(map(str, LEAST))} at least"
    sources = find_sources(events)
    if sources.reached or sources.builders:
        return ""
    told = f"; no answer from {', '.join(sources.silent)}" if sources.silent else ""
    return f"there is no source of store paths: neither a substituter nor a remote builder{told}"


def require(variants: Sequence[Variant], ready: Mapping[str, Path], events: Events) -> None:
    """Raise `InfrastructureError` at once where an image is wanted that this host cannot build."""
    wanted = [variant for variant in variants if variant not in ready]
    why = lacking(events) if wanted else ""
    if why:
        raise InfrastructureError(f"nixos: no image for {' and '.join(wanted)}: {why}", SUPPLY)


def build(variants: Sequence[Variant], *, cache: Cache, events: Events) -> dict[Variant, BuiltImage]:
    """Let Nix build the images; what comes of it is kept with our record. Raises `InfrastructureError`."""
    return {variant: _built(variant, cache, events) for variant in variants}


def _built(variant: Variant, cache: Cache, events: Events) -> BuiltImage:
    flake = f"path:{NIX.parent}?dir=nix#image-{variant}"
    with events.step(f"nixos {variant}"):
        argv = ["nix", *EXPERIMENTAL, "build", "--no-link", "--print-out-paths", flake]
        done = run_command(argv, events=events, check=False, timeout=4 * 3600)
        if done.status:
            raise InfrastructureError(f"nix build of {variant} failed", SUPPLY, evidence=done.tail)
        made = Path(done.text.split()[-1])

    def make(entry: Path) -> None:
        shutil.copyfile(made / DISK, entry / DISK)
        shutil.copyfile(made / STORE, entry / STORE)
        record = record_of(entry, variant, {"store path": str(made)})
        (entry / RECORD).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")

    return load_image(cache.get(f"nixos-{variant}", key_of({"store path": str(made)}), make, room=ROOM, events=events))


def record_of(folder: Path, variant: Variant, inputs: dict[str, str]) -> ImageRecord:
    """The record of a NixOS disk; packages and files are the store's to tell."""
    path = folder / DISK
    return ImageRecord(
        target="nixos",
        variant=variant,
        workload="reference",
        disk=DISK,
        sha256=disk.file_digest(path),
        size=path.stat().st_size,
        architecture="amd64" if os.uname().machine == "x86_64" else "arm64",
        inputs=inputs,
        kernel="",
        kernel_command_line="",
        packages=(),
        files=(),
    )
