"""The modules in a real module system; DOTS_FAMILY_NIXPKGS names a nixpkgs tree, of which `lib` is enough.

With `nixos/modules` in it the options are nixpkgs' own. Without a tree, or with a Nix that is too old for it, the
tests here are skipped with that reason, as `nox -s nix` says it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from results.base.errors import UsageError
from results.base.events import Events
from results.base.process import which
from validate import evaluator
from validate.commands import nix

NIXPKGS = os.environ.get(nix.NIXPKGS, "")
REASON = (
    f"{nix.NIXPKGS} names no nixpkgs tree"
    if not NIXPKGS
    else "there is no Nix here"
    if which(evaluator.EVALUATOR) is None
    else evaluator.too_old(os.environ, Events())
)
pytestmark = pytest.mark.skipif(bool(REASON), reason=REASON or "none")
DECLARED = bool(NIXPKGS) and (Path(NIXPKGS) / "nixos" / "modules").is_dir()
real_options = pytest.mark.skipif(not DECLARED, reason="the nixpkgs tree holds lib alone")
ON = "services.dots-family.enable = true;"


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with evaluator.private_store() as made:
        yield made


def evaluated(
    environment: dict[str, str], configuration: str, reference: str = "true", tree: Path = Path(NIXPKGS)
) -> Any:
    check, _, _ = nix.depth_of(tree)
    return evaluator.evaluate(nix.expression(check, tree, configuration, reference), environment, Events())


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
    result = evaluated(environment, configuration, "false")
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
        evaluated(environment, "{ services.dots-family.hardening.enable = true; }", "false")


def test_the_vendors_module_takes_the_hardening(environment: dict[str, str]) -> None:
    result = evaluated(environment, f"import {nix.NIX}/checks/on-vendor.nix", "false")
    assert result["failed"] == result["lost"] == []
    assert daemon(result)["User"] == "dots-family"
    assert daemon(result)["BusName"] == "org.dots.FamilyDaemon"
    assert "dots-family-children" in result["security"]["polkit"]["extraConfig"]
    assert "dots-children" not in result["users"]["groups"]


def test_a_setting_that_got_lost_is_named(environment: dict[str, str]) -> None:
    forced = f'({{ lib, ... }}: {{ {ON} boot.kernel.sysctl."kernel.dmesg_restrict" = lib.mkForce 0; }})'
    assert evaluated(environment, forced)["lost"] == ["boot.kernel.sysctl.kernel.dmesg_restrict"]


def test_rules_are_loaded_when_what_they_watch_is_there(environment: dict[str, str]) -> None:
    after = evaluated(environment, f"{{ {ON} }}")["systemd"]["services"]["audit-rules-nixos"]["after"]
    assert {"suid-sgid-wrappers.service", "systemd-tmpfiles-setup.service"} <= set(after)


def test_a_profile_and_a_path_for_one_program_are_told(environment: dict[str, str]) -> None:
    result = evaluated(environment, f'{{ {ON} security.apparmor.policies."dots-family.ctl".path = "/etc/mine"; }}')
    (message,) = result["failed"]
    assert 'security.apparmor.policies."dots-family.ctl": has `path` (/etc/mine)' in message
    assert "nix/modules/apparmor.nix" in message


@real_options
def test_an_option_of_the_wrong_type_is_told_with_option_and_file(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError) as error:
        evaluated(environment, f'{{ _file = "mine.nix"; {ON} security.auditd.enable = "often"; }}')
    assert "security.auditd.enable" in str(error.value.hint)
    assert "mine.nix" in str(error.value.hint)


@real_options
def test_an_option_removed_upstream_is_told_with_option_and_file(environment: dict[str, str], tmp_path: Path) -> None:
    tree = tmp_path / "nixpkgs"
    (tree / "nixos").mkdir(parents=True)
    (tree / "lib").symlink_to(Path(NIXPKGS).resolve() / "lib")
    (tree / "nixos" / "lib").symlink_to(Path(NIXPKGS).resolve() / "nixos" / "lib")
    shutil.copytree(Path(NIXPKGS) / "nixos" / "modules", tree / "nixos" / "modules", symlinks=True)
    (tree / "nixos/modules/security/polkit.nix").write_text("{ options = { }; }")
    with pytest.raises(UsageError) as error:
        evaluated(environment, f"{{ {ON} }}", tree=tree)
    assert "security.polkit' does not exist" in str(error.value.hint)
    assert "nix/modules/file.nix" in str(error.value.hint)
    (tree / "nixos/modules/security/polkit.nix").unlink()
    with pytest.raises(UsageError, match=r"polkit\.nix: no such file: nixpkgs has moved it"):
        evaluated(environment, f"{{ {ON} }}", tree=tree)


def test_the_monthly_audit_comes_where_it_is_asked_for(environment: dict[str, str]) -> None:
    asked = evaluated(environment, f"{{ {ON} services.dots-family.hardening.audit.enable = true; }}")
    assert asked["failed"] == []
    assert asked["systemd"]["timers"]["dots-family-security-audit"]["timerConfig"]["OnCalendar"] == "monthly"
    service = asked["systemd"]["services"]["dots-family-security-audit"]["serviceConfig"]
    assert service["ExecStart"].endswith("/bin/security-audit --folder /var/log/dots-family-hardening")
    assert "dots-family-security-audit" not in evaluated(environment, f"{{ {ON} }}")["systemd"]["timers"]
