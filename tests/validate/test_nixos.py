"""The NixOS side of a run, without a machine: ready images, the plan for one, and what deployment asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from harden.product import load_product
from images.target import load_target
from results.base.errors import InfrastructureError, UsageError
from results.base.events import Events
from results.terminal import Terminal
from validate import deploy
from validate.commands.build import require_sources
from validate.commands.validate import images_for
from validate.commands.validate import run as validate
from validate.machine.session import Session
from validate.options import Options, parse
from validate.plan import Plan, on_nixos


def made(folder: Path) -> Path:
    folder.mkdir()
    (folder / "disk.raw").write_bytes(folder.name.encode())
    programs = {key: f"/nix/store/1a-dots/bin/dots-family-{key}" for key in load_product().binaries}
    (folder / "nixos.json").write_text(json.dumps({"binaries": programs}))
    return folder


def options(*images: str) -> Options:
    return parse(["validate", "--target", "nixos", *(word for image in images for word in ("--image", image))])


def test_what_nix_built_is_a_ready_image(tmp_path: Path, plan: Plan) -> None:
    given = options(f"baseline={made(tmp_path / 'b')}", f"hardened={made(tmp_path / 'h')}")
    require_sources([load_target("nixos")], given, Events())  # needs no Nix: nothing is left to build
    images = images_for(load_target("nixos"), plan, given, Events())
    assert {variant: image.disk.read_bytes() for variant, image in images.items()} == {
        "baseline": b"b",
        "hardened": b"h",
    }
    assert images["baseline"].record.sha256.startswith("sha256:")
    moved = on_nixos(plan, images["baseline"].folder)
    assert moved.product.binaries["daemon"] == "/nix/store/1a-dots/bin/dots-family-daemon"
    assert {one.control for one in moved.checks} == {one.control for one in plan.checks}


def test_a_folder_without_a_disk_is_told_with_what_makes_it(tmp_path: Path, plan: Plan) -> None:
    given = options(f"baseline={tmp_path}", f"hardened={made(tmp_path / 'h')}")
    with pytest.raises(UsageError, match=r"disk\.raw: no such disk") as error:
        images_for(load_target("nixos"), plan, given, Events())
    assert "nix build ./nix#image-baseline" in error.value.hint


def test_without_images_and_sources_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("images.nixos.lacking", lambda _: "there is no `nix` on PATH")
    given = parse(["validate", "--target", "nixos", "--results", str(tmp_path / "runs")])
    with pytest.raises(InfrastructureError, match="no image for baseline and hardened: there is no `nix` on PATH"):
        validate(given, Events(), Terminal())
    assert not (tmp_path / "runs").exists()


def test_the_hardened_system_is_chosen_by_the_boot_loader() -> None:
    asked: list[list[str]] = []

    class Played:
        def run(self, argv: list[str], **_: Any) -> None:
            asked.append(argv)

    deploy.choose_hardened_system(cast("Session", Played()), Events())
    assert asked == [["bootctl", "set-default", "dots-family-hardened.efi"]]
    image = (Path(__file__).parents[2] / "nix" / "image.nix").read_text()
    assert '"/EFI/Linux/dots-family-${name}.efi"' in image
