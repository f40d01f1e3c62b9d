"""The modules in a real module system; DOTS_FAMILY_NIXPKGS names a nixpkgs tree, of which `lib` is enough."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from results.base.errors import UsageError
from results.base.events import Events
from results.base.process import which
from validate.commands import nix

NIXPKGS = os.environ.get("DOTS_FAMILY_NIXPKGS", "")
pytestmark = pytest.mark.skipif(
    not NIXPKGS or which(nix.EVALUATOR) is None, reason="DOTS_FAMILY_NIXPKGS names no nixpkgs tree, or Nix is not here"
)
ON = "services.dots-family.enable = true;"


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with nix.private_store() as made:
        yield made


def evaluated(environment: dict[str, str], configuration: str, more: str = "") -> Any:
    words = f"nixpkgs = {Path(NIXPKGS).resolve()}; configuration = {configuration}; {more}"
    return nix.evaluate(f"import {nix.NIX}/checks/standins.nix {{ {words} }}", environment, Events())


def daemon(result: Any) -> Any:
    return result["systemd"]["services"]["dots-family-daemon"]["serviceConfig"]


def test_the_snippet_of_the_guide_evaluates_as_written(environment: dict[str, str]) -> None:
    result = evaluated(environment, f"import {nix.NIX}/checks/snippet.nix")
    assert result["failed"] == []
    assert result["security"]["auditd"]["enable"] is True
    assert result["security"]["audit"]["enable"] == "lock"
    assert result["security"]["audit"]["backlogLimit"] == 8192
    assert daemon(result)["ProtectSystem"] == "strict"
    assert result["controls"]["left"] == []


def test_nothing_is_set_where_the_product_is_off(environment: dict[str, str]) -> None:
    result = evaluated(environment, "{ }")
    assert result["systemd"]["services"] == {}
    assert result["boot"]["kernelParams"] == []


def test_the_vendor_gives_way_and_force_wins(environment: dict[str, str]) -> None:
    unit = 'systemd.services.dots-family-daemon.serviceConfig.Restart = %s"on-failure";'
    assert daemon(evaluated(environment, f"{{ {ON} {unit % ''} }}"))["Restart"] == "always"
    forced = f"({{ lib, ... }}: {{ {ON} {unit % 'lib.mkForce '} }})"
    assert daemon(evaluated(environment, forced))["Restart"] == "on-failure"


def test_tuning_gives_way_to_a_plain_definition(environment: dict[str, str]) -> None:
    result = evaluated(environment, f'{{ {ON} boot.kernel.sysctl."vm.swappiness" = 60; }}')
    assert result["boot"]["kernel"]["sysctl"]["vm.swappiness"] == 60


LAYERS = [
    "account",
    "apparmor",
    "audit",
    "bus",
    "file",
    "journal",
    "kernel",
    "mode",
    "module",
    "sshd",
    "sysctl",
    "tuning",
    "unit",
]


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_can_be_switched_off_alone(environment: dict[str, str], layer: str) -> None:
    off = f"services.dots-family.hardening.layers.{layer}.enable = false;"
    result = evaluated(environment, f"{{ {ON} {off} }}")
    assert result["failed"] == []
    assert result["controls"]["left"]


def test_an_absent_vendor_is_told_with_what_to_import(environment: dict[str, str]) -> None:
    package = '{ type = "derivation"; outPath = "/x"; name = "x"; }'
    configuration = f"{{ services.dots-family.hardening = {{ enable = true; package = {package}; }}; }}"
    result = evaluated(environment, configuration, "reference = false;")
    assert len(result["failed"]) == 1
    assert "services.dots-family.hardening.enable: nothing declares services.dots-family.enable" in result["failed"][0]
    assert "import the vendor's module" in result["failed"][0]


def test_profiles_that_nobody_loads_are_told(environment: dict[str, str]) -> None:
    result = evaluated(environment, f"{{ {ON} security.apparmor.enable = false; }}")
    assert "security.apparmor.enable is false" in result["failed"][0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ('waivers = [ "no.such" ];', "services.dots-family.hardening.waivers: no control named no.such"),
        ('level = "huge";', "services.dots-family.hardening.level"),
        ("layers.nosuch.enable = true;", "services.dots-family.hardening.layers.nosuch"),
    ],
)
def test_bad_words_are_told(environment: dict[str, str], words: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        evaluated(environment, f"{{ {ON} services.dots-family.hardening = {{ {words} }}; }}")
    assert message in str(error.value)


def test_an_absent_package_is_told(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=r"services\.dots-family\.hardening\.package: nothing declares"):
        evaluated(environment, "{ services.dots-family.hardening.enable = true; }", "reference = false;")
