"""The collector on the layout of a NixOS machine, and the judge on what it finds (see fixtures/README.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harden.check import Check
from harden.nixos import Relocation, Store, nixos_checks, nixos_product
from harden.policy import TOOLS
from validate.audit.judge import judge
from validate.facts.collect import needed, questions
from validate.facts.guest import dbus, files
from validate.facts.guest.context import Commands, Context, Reader
from validate.plan import Plan

LAYOUT: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "fixtures" / "layout.yaml").read_text())
STORE = Store(
    binaries={key: f"{LAYOUT['package']}/bin/dots-family-{key}" for key in LAYOUT["programs"]},
    tools={tool: f"/nix/store/3d-tools/bin/{tool}" for tool in TOOLS},
)
BUS_FILE = "org.dots.FamilyDaemon.conf"


@pytest.fixture(scope="module")
def checks(plan: Plan) -> tuple[Check, ...]:
    """Those that look at links, at programs, and at the bus's files."""
    found = nixos_checks(plan.checks, plan.product, STORE, plan.tree)
    return tuple(
        one
        for one in found
        if one.fact[-1:] == ("target",)
        or one.fact[:2] in (("dbus", "policies"), ("dbus", "product_rules"), ("dbus", "activation"))
        or (one.fact[:1] == ("files",) and one.fact[1] in STORE.binaries.values() and one.fact[2] == "mode")
    )


def put(root: Path, path: str, text: str = "", mode: int = 0o444) -> None:
    real = root / path.lstrip("/")
    real.parent.mkdir(parents=True, exist_ok=True)
    real.write_text(text)
    real.chmod(mode)


@pytest.fixture
def root(tmp_path: Path, plan: Plan) -> Path:
    """The layout as files; the bus's main file stands where its link leads, since that leads out of here."""
    for path, target in LAYOUT["links"].items():
        real = tmp_path / path.lstrip("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        if path != "/etc/dbus-1":
            real.symlink_to(target)
    for path, mode in LAYOUT["copies"].items():
        put(tmp_path, path, mode=int(mode, 8))
    for path in STORE.binaries.values():
        put(tmp_path, path, mode=0o555)
    bus, activation = LAYOUT["bus_package"], LAYOUT["activation_package"]
    main = f"<busconfig><includedir>{bus}/share/dbus-1/system.d</includedir>"
    main += f"<servicedir>{activation}/share/dbus-1/system-services</servicedir></busconfig>"
    put(tmp_path, "/etc/dbus-1/system.conf", main)
    move = Relocation(plan.product, STORE)
    for key, folder in (
        ("bus_policy", f"{bus}/share/dbus-1/system.d"),
        ("bus_activation", f"{activation}/share/dbus-1/system-services"),
    ):
        path = plan.product.paths[key]
        put(tmp_path, f"{folder}/{Path(path).name}", move.text(plan.tree.by_path[path].content.decode()))
    put(tmp_path, "/etc/passwd", "root:x:0:0::/root:/bin/sh\n")
    put(tmp_path, "/etc/group", "root:x:0:\n")
    return tmp_path


def judged(root: Path, plan: Plan, checks: tuple[Check, ...]) -> dict[str, str]:
    units, paths = needed(one.fact for one in checks)
    asked = questions(nixos_product(plan.product, STORE), units, paths, exposure=False)
    context = Context(Reader(str(root)), Commands(), asked)
    bus = dbus.policies(context)
    facts = {
        **files.collect_files(context),
        "dbus": {
            "policies": bus,
            "product_rules": dbus.product_rules(context, bus),
            "activation": dbus.activations(context.reader),
        },
        "errors": context.errors,
    }
    return {one["control"]: one["outcome"] for one in judge([check.to_json() for check in checks], facts)}


def test_a_machine_as_nix_makes_it_passes(root: Path, plan: Plan, checks: tuple[Check, ...]) -> None:
    outcomes = judged(root, plan, checks)
    assert len(outcomes) > 15
    assert {name: outcome for name, outcome in outcomes.items() if outcome != "pass"} == {}


@pytest.mark.parametrize(
    ("path", "control"),
    [
        ("/etc/apparmor.d", "integrity.apparmor"),
        ("/etc/systemd/system", "integrity.units"),
        ("/etc/sysctl.d/60-nixos.conf", "integrity.sysctl-security"),
        ("/etc/ssh/sshd_config", "integrity.ssh"),
        ("/etc/polkit-1/rules.d/10-nixos.rules", "polkit.children"),
    ],
)
def test_a_file_put_in_the_place_of_a_link_is_seen(
    root: Path, plan: Plan, checks: tuple[Check, ...], path: str, control: str
) -> None:
    real = root / path.lstrip("/")
    real.unlink()
    real.write_text("mine")
    assert judged(root, plan, checks)[control] == "fail"


def test_another_bus_policy_is_seen(root: Path, plan: Plan, checks: tuple[Check, ...]) -> None:
    policy = root / LAYOUT["bus_package"].lstrip("/") / "share/dbus-1/system.d" / BUS_FILE
    policy.chmod(0o644)
    policy.write_text(policy.read_text() + "<!-- more -->\n")
    assert judged(root, plan, checks)["dbus.default-deny"] == "fail"


def test_a_second_bus_policy_is_seen(root: Path, plan: Plan, checks: tuple[Check, ...]) -> None:
    put(
        root,
        "/usr/share/dbus-1/system.d/x.conf",
        '<busconfig><policy user="u"><allow own="org.dots.FamilyDaemon"/></policy></busconfig>',
    )
    assert judged(root, plan, checks)["dbus.one-policy"] == "fail"


def test_a_program_that_others_may_write_is_seen(root: Path, plan: Plan, checks: tuple[Check, ...]) -> None:
    (root / STORE.binaries["daemon"].lstrip("/")).chmod(0o777)
    assert judged(root, plan, checks)["files.programs"] == "fail"
