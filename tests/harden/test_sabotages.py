"""Every control can be broken, by data alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from harden.catalogue import Catalogue, load_catalogue
from harden.layers.unit_directives import KINDS
from harden.layers.unit_opposites import WORDS, opposites
from harden.product import Product
from harden.sabotage import Audit, DropIn, KernelWords, Remove, Sabotage, SetSysctl, Write
from harden.sabotages import sabotages
from harden.tools import with_tools
from harden.tree import Tree
from results.base.errors import UsageError

HEAD = """
defaults: {layer: LAYER, references: {cis: ["4.1"], csf: [PR.PS-01], iso27001: [A.8.9], soc2: [CC6.1]}}
controls:
"""


@pytest.fixture(scope="module")
def every(catalogue: Catalogue, product: Product, tree: Tree) -> dict[str, Sabotage]:
    return {one.control: one for one in sabotages(catalogue, product, with_tools(tree, {}))}


def of(folder: Path, product: Product, layer: str, entry: str) -> Sabotage:
    (folder / "x.yaml").write_text(HEAD.replace("LAYER", layer) + f"  - {{id: a.b, title: A new one, {entry}}}\n")
    (found,) = sabotages(load_catalogue(folder), product)
    return found


def test_every_control_has_a_sabotage(every: dict[str, Sabotage], catalogue: Catalogue) -> None:
    assert list(every) == [control.id for control in catalogue.controls]
    assert all(one.actions and one.to_json() for one in every.values())


def test_what_a_layer_knows_needs_no_words_of_the_control(tmp_path: Path, product: Product) -> None:
    found = of(tmp_path, product, "sysctl", "set: {kernel.kptr_restrict: 2, net.ipv4.tcp_rmem: 4096 131072 16777216}")
    assert found.actions == (
        SetSysctl(name="kernel.kptr_restrict", values=("1", "3")),
        SetSysctl(name="net.ipv4.tcp_rmem", values=("4096 131072 16777215", "4096 131072 16777217")),
    )
    assert found.world == "running"
    found = of(tmp_path, product, "unit", "set: {unit: monitor, PrivateTmp: true, RestartSec: 1}")
    assert found.actions == (
        DropIn(unit="dots-family-monitor@.service", directives={"PrivateTmp": "no", "RestartSec": "8"}),
    )
    assert found.then == ("daemon-reload", "restart dots-family-monitor@*.service")


def test_a_control_without_one_is_refused_by_name_and_place(tmp_path: Path, product: Product) -> None:
    with pytest.raises(UsageError, match=r"x\.yaml:4: a\.b: no sabotage follows"):
        of(tmp_path, product, "state", "checks: [{fact: [world_writable], op: same_set, expected: []}]")
    with pytest.raises(UsageError, match=r"a\.b: LogLevel ODD: no other value is known"):
        of(tmp_path, product, "sshd", "set: {LogLevel: ODD}")


def test_what_a_control_names_takes_the_place_of_what_would_follow(tmp_path: Path, product: Product) -> None:
    named = 'set: {LogLevel: ODD}, sabotage: [{do: append, path: "${paths.state}/x", content: "y"}]'
    (action,) = of(tmp_path, product, "sshd", named).actions
    assert action.model_dump()["path"] == f"{product.paths['state']}/x"


@pytest.mark.parametrize("wrong", ["{do: explode}", "{do: stop, unit: x, now: true}", "{do: write, path: /x}"])
def test_named_sabotage_is_read_strictly(tmp_path: Path, product: Product, wrong: str) -> None:
    with pytest.raises(UsageError, match="sabotage"):
        of(tmp_path, product, "state", f"checks: [{{fact: [x], op: exists}}], sabotage: [{wrong}]")


def test_a_file_is_rendered_as_if_the_control_were_not_there(every: dict[str, Sabotage], tree: Tree) -> None:
    (action,) = every["apparmor.daemon.denies-ptrace"].actions
    assert isinstance(action, Write)
    ours = tree.by_path[action.path].content.decode()
    gone = set(ours.splitlines()) - set(action.content.splitlines())
    assert any("audit deny ptrace" in line for line in gone)
    assert set(action.content.splitlines()) <= set(ours.splitlines())
    assert action.then == (f"profile {action.path}",)
    assert every["logging.rotation"].actions == (Remove(path="/etc/logrotate.d/dots-family"),)


def test_what_is_locked_waits_for_a_boot_that_unlocks(every: dict[str, Sabotage]) -> None:
    assert every["sysctl.unprivileged-bpf"].world == "boot"
    assert every["kernel.vsyscall"].actions == (KernelWords(remove=("vsyscall=none",)),)
    assert [one.control for one in every.values() if one.unlocks] == ["audit.immutable"]
    (action,) = every["audit.service-management"].actions
    assert action == Audit(lines=("-W /usr/bin/systemctl -p x -k dots-family-service",))
    assert every["audit.service-management"].world == "unlocked"


VALUES = {
    "flag": "yes",
    "octal": "0027",
    "number": "5",
    "size": "512M",
    "seconds": "1",
    "words": "/srv",
    "bind": "/run/user",
    "families": "AF_UNIX",
    "ip": "any",
    "capabilities": "",
    "calls": "~@mount",
}


@pytest.mark.parametrize("name", KINDS)
def test_every_directive_has_an_opposite(name: str) -> None:
    text = VALUES.get(KINDS[name], "strict")
    said = opposites(name, text.split(), text)
    assert said[name] != text
    assert name in WORDS or KINDS[name] != "word"


def test_an_ambient_capability_comes_within_its_bounds() -> None:
    said = opposites("AmbientCapabilities", ["CAP_SYS_CHROOT"], "CAP_SYS_CHROOT")
    assert said == {"CapabilityBoundingSet": "CAP_SYS_BOOT", "AmbientCapabilities": "CAP_SYS_BOOT"}
