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
from validate.commands.audit import run as audit
from validate.commands.build import require_sources
from validate.commands.validate import images_for
from validate.commands.validate import run as validate
from validate.machine.session import Session
from validate.options import Options, parse
from validate.plan import Plan, in_store, on_nixos
from validate.store_paths import ask


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


class Machine:
    """Answers as a NixOS machine with these programs would."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def python(self, source: str, argument: object = None) -> Any:
        assert "/run/current-system/sw/bin/" in source
        return {name: f"/nix/store/x/bin/{name}" for name in cast("list[str]", argument) if name in self.names}


def test_a_running_machine_tells_where_its_programs_lie(plan: Plan) -> None:
    programs = [path.rpartition("/")[2] for path in plan.product.binaries.values()]
    store = ask(Machine(*programs, "kill"), plan.product)
    assert store.binaries["daemon"] == "/nix/store/x/bin/dots-family-daemon"
    assert store.tools == {"kill": "/nix/store/x/bin/kill"}
    assert in_store(plan, store).product.binaries == store.binaries
    with pytest.raises(InfrastructureError, match=r"dots-family-ctl: not in /run/current-system/sw/bin"):
        ask(Machine(*(name for name in programs if not name.endswith("ctl"))), plan.product)


def test_stored_facts_of_nixos_need_its_paths(tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text("{}")
    with pytest.raises(UsageError, match=r"no nixos\.json for it"):
        audit(parse(["audit", "--target", "nixos", "--facts", str(facts)]), Events(), Terminal())
