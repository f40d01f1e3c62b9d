from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harden.bundle import GUEST
from harden.catalogue import load_catalogue
from harden.parity import Difference, debian, found, load_differences, nixos, unexplained
from harden.product import load_product
from harden.render import render
from results.base.errors import InfrastructureError, UsageError
from results.base.events import Events
from results.base.process import which
from results.terminal import Terminal
from validate import evaluator
from validate.commands import nix
from validate.options import parse


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    if which(evaluator.EVALUATOR) is None:
        pytest.fail("this host has no nix-instantiate: run `nox -s doctor -- --fix`")
    with evaluator.private_store() as made:
        yield made


def evaluated(environment: dict[str, str], arguments: str = "") -> Any:
    return evaluator.evaluate(f"import {nix.NIX}/lib/policy.nix {{ {arguments} }}", environment, Events())


def test_parity_has_no_unexplained_difference(environment: dict[str, str]) -> None:
    tree = render(load_catalogue(), load_product())
    left, right = debian(tree), nixos(evaluated(environment))
    assert len(left) > 400
    assert unexplained(left, right, load_differences()) == ()


def test_every_control_is_in_force(environment: dict[str, str]) -> None:
    controls = evaluated(environment)["controls"]
    assert set(controls["active"]) == {one.id for one in load_catalogue().controls if one.set}
    assert controls["left"] == controls["waived"] == []


def test_parity_sees_what_is_missing_what_is_more_and_what_is_stale() -> None:
    left, right = {"a": "1", "b": "1"}, {"b": "2", "c": "1"}
    assert list(found(left, right)) == [("a", "debian"), ("b", "both"), ("c", "nixos")]
    stale = Difference(key="z", only="nixos", reason="a reason that is long enough")
    assert "z: only=nixos: explained, but there is no such difference" in unexplained(left, right, [stale])


def test_a_waiver_takes_out_its_control_alone(environment: dict[str, str]) -> None:
    waived = evaluated(environment, 'waivers = [ "systemd.daemon.protect-system" ];')
    before, after = nixos(evaluated(environment)), nixos(waived)
    assert list(found(before, after)) == [("unit/dots-family-daemon/Service/ProtectSystem", "debian")]


def test_a_profile_that_need_not_be_enforced_complains(environment: dict[str, str]) -> None:
    waived = evaluated(environment, 'waivers = [ "apparmor.daemon.enforced" ];')
    policies = waived["layers"]["apparmor"]["security"]["apparmor"]["policies"]
    assert {name: one["state"] for name, one in policies.items()} == {
        "dots-family.ctl": "enforce",
        "dots-family.daemon": "complain",
        "dots-family.filter": "enforce",
        "dots-family.monitor": "enforce",
    }


def test_units_name_no_profile_where_none_is_loaded(environment: dict[str, str]) -> None:
    layers = evaluated(environment, "layers.apparmor = false;")["layers"]
    assert "AppArmorProfile" not in layers["unit"]["systemd"]["services"]["dots-family-daemon"]["serviceConfig"]
    assert layers["apparmor"] == {}


def test_paths_of_the_store_reach_profiles_and_rules(environment: dict[str, str]) -> None:
    layers = evaluated(environment, 'binaries.daemon = "/store/x/bin/d"; closures.daemon = "/store/rules";')["layers"]
    profile = layers["apparmor"]["security"]["apparmor"]["policies"]["dots-family.daemon"]["profile"]
    assert "profile dots-family.daemon /store/x/bin/d flags=(attach_disconnected) {" in profile
    assert '  include "/store/rules"\n' in profile
    assert "/usr/bin/dots-family-daemon" not in profile
    assert "-w /store/x/bin/d -p x -k dots-family-exec" in layers["audit"]["security"]["audit"]["rules"]


@pytest.mark.parametrize("level", ["essential", "standard"])
def test_a_lower_level_sets_less(environment: dict[str, str], level: str) -> None:
    controls = evaluated(environment, f'level = "{level}";')["controls"]
    catalogue = load_catalogue()
    severities = {catalogue.by_id[one].severity for one in controls["active"]}
    assert controls["left"]
    assert "low" not in severities


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('waivers = [ "no.such" ];', "services.dots-family.hardening.waivers: no control named no.such"),
        ('level = "huge";', 'services.dots-family.hardening.level: no level named "huge"'),
        ("layers.nosuch = true;", "services.dots-family.hardening.layers: no layer named nosuch"),
        ('groups.teachers = "x";', "services.dots-family.hardening.groups: no role named teachers"),
        ("policy = { schema = 2; controls = { }; product.binaries = { }; };", "policy.json: schema 2"),
    ],
)
def test_bad_input_is_told_with_option_and_file(environment: dict[str, str], arguments: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        evaluated(environment, arguments)
    assert message in str(error.value).replace("\\", "")


def asserted(environment: dict[str, str], arguments: str) -> list[str]:
    """Messages of the assertions that fail; no module system is needed for them."""
    words = f"import {nix.NIX}/lib/assertions.nix {{ {arguments} }}"
    found = evaluator.evaluate(f"map (one: one // {{ inherit (one) message; }}) ({words})", environment, Events())
    return [one["message"] for one in found if not one["assertion"]]


def test_assertions_name_option_and_file(environment: dict[str, str]) -> None:
    fine = "vendor = true; wanted = true; loaded = true; paths.p = null;"
    assert asserted(environment, fine) == []
    (absent,) = asserted(environment, fine.replace("vendor = true", "vendor = false"))
    assert absent.startswith("services.dots-family.hardening.enable: nothing declares services.dots-family.enable")
    assert "nix/modules/hardening.nix" in absent
    (unloaded,) = asserted(environment, fine.replace("loaded = true", "loaded = false"))
    assert "security.apparmor.enable is false" in unloaded
    (twice,) = asserted(environment, fine.replace("paths.p = null", 'paths.p = "/etc/mine"'))
    assert twice.startswith('security.apparmor.policies."p": has `path` (/etc/mine) beside the `profile`')


def test_groups_of_the_roles_take_the_vendors_names(environment: dict[str, str]) -> None:
    named = evaluated(environment, 'groups.children = "dots-family-children"; groups.parents = "family-parents";')
    assert 'group="family-parents"' in named["texts"]["bus"]
    assert 'isInGroup("dots-family-children")' in named["layers"]["file"]["security"]["polkit"]["extraConfig"]
    assert {"dots-family-children", "family-parents"} <= set(named["layers"]["account"]["users"]["groups"])
    assert "dots-parents" not in json.dumps(named)


def test_what_an_evaluated_system_lost_is_named(environment: dict[str, str]) -> None:
    layers = '{ a.x = { y = 1; list = [ "r" ]; text = "a.b"; }; }'
    config = '{ x = { y = 2; list = [ "q" "r" ]; text = "c\na.b"; }; }'
    lost = evaluator.evaluate(f"import {nix.NIX}/lib/lost.nix {layers} {config}", environment, Events())
    assert lost == ["x.y"]


def test_a_nix_that_is_too_old_for_nixpkgs_is_no_verdict(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "default.nix").touch()
    monkeypatch.setattr(evaluator, "version", lambda *_: (2, 8, 0))
    with pytest.raises(InfrastructureError, match=r"nix-instantiate is 2\.8\.0, and nixpkgs wants 2\.18 at least"):
        nix.look_at_modules(tmp_path, environment, Events())


def test_a_tree_that_is_no_nixpkgs_is_a_usage_error(environment: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no lib/default.nix there"):
        nix.look_at_modules(tmp_path, environment, Events())


def test_every_file_parses(environment: dict[str, str]) -> None:
    assert nix.look_at_files(environment, Events()).failures == ()


def test_the_lock_names_one_nixpkgs_by_its_hash() -> None:
    locked = json.loads((nix.NIX / "flake.lock").read_text())["nodes"]["nixpkgs"]["locked"]
    assert len(locked["rev"]) == 40
    assert locked["narHash"].startswith("sha256-")


def test_an_evaluation_that_fails_is_a_finding() -> None:
    def look() -> nix.Level:
        raise evaluator.EvaluationError("nix-instantiate: the evaluation failed", "error: why")

    assert nix.judged("b", look).failures == ("error: why",)


def test_a_policy_out_of_step_is_told_with_file_and_command(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stale = tmp_path / "policy.json"
    stale.write_text("{}")
    monkeypatch.setattr(nix, "POLICY", stale)
    (failure,) = nix.look_at_policy(load_catalogue(), load_product(), environment, Events()).failures
    assert failure.startswith("nix/policy.json is out of step with harden/controls: run `REFRESH_GOLDEN=1")


def test_how_deep_it_went_is_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(nix.NIXPKGS, raising=False)
    assert nix.run(parse(["nix"]), Events(), Terminal()) == 0
    told = capsys.readouterr()
    lines = (told.out + told.err).splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("ok")] == ["ok   level a", "ok   level b"]
    assert any("not looked: level c" in line and f"--nixpkgs PATH` or {nix.NIXPKGS}" in line for line in lines)
    assert any("not looked: level d, e" in line and "give a nixpkgs tree" in line for line in lines)
    assert any("not looked: level f" in line for line in lines)


def test_a_file_that_does_not_parse_is_named(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, text in {"fine.nix": "1\n", "broken.nix": "{ a = ; }\n"}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(nix, "NIX", tmp_path)
    failures = nix.look_at_files(environment, Events()).failures
    assert [line.partition(": error")[0] for line in failures] == ["nix/broken.nix: does not parse"]


def test_the_monthly_audit_is_run_as_on_debian(environment: dict[str, str]) -> None:
    call = f'import {nix.NIX}/lib/monthly.nix {{ program = "/usr/sbin/security-audit.sh"; }}'
    told = evaluator.evaluate(call, environment, Events())
    for kind, section in (("service", "[Service]"), ("timer", "[Timer]")):
        text = (GUEST / "units" / f"dots-family-security-audit.{kind}").read_text()
        lines = text.partition(section)[2].splitlines()
        assert told[kind] == dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
