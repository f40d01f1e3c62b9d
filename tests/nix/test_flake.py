"""The flake's outputs by name, with a stand-in for nixpkgs; and what the image and the audit are made from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harden.product import load_product
from images.workload.package import PROGRAMS
from results.base.errors import UsageError
from results.base.events import Events
from results.base.process import which
from validate import evaluator, nix_audit
from validate.commands.nix import NIX
from validate.plan import Plan, on_nixos

STAND_IN = f"""
let
  pkgs = {{
    writeText = name: _: "text ${{name}}";
    runCommand = name: given: script: {{ inherit name script; inherit (given) places; }};
    callPackage = file: given: {{ inherit file given; }};
    testers.runNixOSTest = test: {{ inherit (test) name testScript; }};
    mkShell = given: given;
    nixfmt = "nixfmt"; statix = "statix"; deadnix = "deadnix";
  }};
  nixpkgs = {{
    outPath = "/nowhere";
    legacyPackages = {{ x86_64-linux = pkgs; aarch64-linux = pkgs; }};
    lib.nixosSystem = {{ system, modules }}: {{
      config = {{
        modules = builtins.length modules;
        system.build.image = "/images/${{system}}";
        image.fileName = "dots-family.raw";
        services.dots-family.hardening.result.places.binaries.daemon = "/nix/store/x/bin/d";
      }};
    }};
  }};
  self = (import {NIX}/flake.nix).outputs {{ inherit self nixpkgs; }};
  names = value: if builtins.isAttrs value then builtins.attrNames value else [ ];
in
"""
SYSTEMS = ["aarch64-linux", "x86_64-linux"]


@pytest.fixture(scope="module")
def outputs() -> Iterator[Any]:
    if which(evaluator.EVALUATOR) is None:
        pytest.fail("this host has no nix-instantiate: run `nox -s doctor -- --fix`")
    wanted = """{
      top = builtins.mapAttrs (_: names) self;
      packages = builtins.mapAttrs (_: names) self.packages;
      checks = builtins.mapAttrs (_: names) self.checks;
      image = self.packages.aarch64-linux.image-baseline;
      boot = self.checks.x86_64-linux.boot.testScript;
      shells = names self.devShells.x86_64-linux;
      formatter = self.formatter.x86_64-linux;
    }"""
    with evaluator.private_store() as environment:
        yield evaluator.evaluate(STAND_IN + wanted, environment, Events())


def test_the_outputs_that_users_build_on_are_there(outputs: Any) -> None:
    assert outputs["top"]["nixosModules"] == ["default", "hardening"]
    assert {"baseline", "hardened"} <= set(outputs["top"]["nixosConfigurations"])
    for kind in ("packages", "checks", "devShells", "formatter"):
        assert outputs["top"][kind] == SYSTEMS
    for system in SYSTEMS:
        assert {"image-baseline", "image-hardened", "security-audit"} <= set(outputs["packages"][system])
        assert {"boot", "snippet", "on-vendor", "system", "policy"} <= set(outputs["checks"][system])
    assert (outputs["shells"], outputs["formatter"]) == (["default"], "nixfmt")


def test_an_image_is_what_the_pipeline_takes(outputs: Any) -> None:
    assert json.loads(outputs["image"]["places"]) == {"binaries": {"daemon": "/nix/store/x/bin/d"}}
    assert 'ln -s /images/aarch64-linux/dots-family.raw "$out/disk.raw"' in outputs["image"]["script"]


def test_the_boot_test_runs_our_audit(outputs: Any) -> None:
    assert "security-audit --json" in outputs["boot"]


def test_the_package_is_built_from_the_sources_that_debians_is() -> None:
    lines = re.findall(r'^ +build (\w+) "([^"]*)" (.*)$', (NIX / "package.nix").read_text(), re.MULTILINE)
    built = {
        f"dots-family-{name}": (
            tuple(files.split()),
            tuple(library.removeprefix("-l") for library in libraries.split()),
        )
        for name, libraries, files in lines
    }
    assert built == PROGRAMS


def store(folder: Path, **more: Any) -> Path:
    programs = {key: f"/nix/store/1a-dots/bin/dots-family-{key}" for key in load_product().binaries}
    (folder / "nixos.json").write_text(json.dumps({"binaries": programs, **more}))
    return folder


def test_the_audit_holds_the_checks_of_this_system(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert nix_audit.main([str(store(tmp_path)), str(out)]) == 0
    assert "/nix/store/1a-dots/bin/dots-family-daemon" in (out / "checks.json").read_text()
    assert "/usr/bin/dots-family" not in (out / "checks.json").read_text() + (out / "questions.json").read_text()
    assert (out / "lib" / "validate" / "audit" / "judge.py").is_file()
    assert not (out / "manifest.json").exists()


def test_an_image_that_lacks_a_program_is_told_with_its_file(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / "nixos.json").write_text('{"binaries": {"daemon": "/x"}}')
    with pytest.raises(UsageError, match=r"nixos\.json: binaries: no path for ctl, filter, monitor"):
        on_nixos(plan, tmp_path)
    with pytest.raises(UsageError):
        on_nixos(plan, tmp_path / "nowhere")


IMAGE = f"""
let
  system = name: {{ system = {{
    build = {{ uki = "/nix/store/uki-${{name}}"; toplevel = "/nix/store/system-${{name}}"; }};
    boot.loader.ukiFile = "nixos.efi";
  }}; }};
  lib = {{
    mapAttrs' = make: set: builtins.listToAttrs (map (name: make name set.${{name}}) (builtins.attrNames set));
    toUpper = _: "X64";
    mkDefault = value: value;
    trivial.release = "26.11";
  }};
  pkgs = {{
    stdenv.hostPlatform.efiArch = "x64";
    systemd = "/nix/store/systemd";
    python3 = "/nix/store/python3";
    writeText = _: text: text;
  }};
  module = import {NIX}/image.nix {{ variant = "baseline"; also.hardened = system "hardened"; }};
in
module {{ inherit lib pkgs; config = system "baseline"; modulesPath = "/modules"; }}
"""


def test_the_baselines_disk_holds_the_hardened_system_too() -> None:
    with evaluator.private_store() as environment:
        image = evaluator.evaluate(IMAGE, environment, Events())
    partitions = image["image"]["repart"]["partitions"]
    esp = partitions["10-esp"]["contents"]
    assert esp["/EFI/Linux/dots-family-hardened.efi"]["source"] == "/nix/store/uki-hardened/nixos.efi"
    assert esp["/EFI/BOOT/BOOTX64.EFI"]["source"] == "/nix/store/systemd/lib/systemd/boot/efi/systemd-bootx64.efi"
    assert "default dots-family-baseline.efi\n" in esp["/loader/loader.conf"]["source"]
    assert partitions["20-root"]["storePaths"] == ["/nix/store/system-baseline", "/nix/store/system-hardened"]


def test_the_image_takes_its_access_from_the_boot() -> None:
    with evaluator.private_store() as environment:
        image = evaluator.evaluate(IMAGE, environment, Events())
    rules = image["systemd"]["tmpfiles"]["rules"]
    assert "f^ /root/.ssh/authorized_keys 0600 root root - ssh.authorized_keys.root" in rules
    assert image["services"]["openssh"]["hostKeys"] == [{"path": "/etc/ssh/ssh_host_ed25519_key", "type": "ed25519"}]
    assert "authorizedKeys" not in (NIX / "image.nix").read_text()
