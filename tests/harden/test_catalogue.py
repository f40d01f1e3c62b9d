from __future__ import annotations

from pathlib import Path

import pytest

from harden.catalogue import Catalogue, load_catalogue
from harden.control import FRAMEWORKS
from results.base.errors import UsageError

REFERENCES = 'references: {cis: ["4.1"], csf: [PR.PS-01], iso27001: [A.8.9], soc2: [CC6.1]}'
GOOD = f"""
defaults: {{layer: sysctl, {REFERENCES}}}
controls:
  - id: sysctl.one
    title: One setting of the kernel
    set: {{kernel.kptr_restrict: 2}}
"""


def complaints(folder: Path, **files: str) -> list[str]:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        load_catalogue(folder)
    return raised.value.what.splitlines()


def test_ours_is_large_enough(catalogue: Catalogue) -> None:
    assert len(catalogue.controls) >= 150


def test_every_control_is_complete(catalogue: Catalogue) -> None:
    for control in catalogue.controls:
        assert all(control.references[name] for name in FRAMEWORKS), control.id
        name, _, line = control.source.rpartition(":")
        assert name.startswith("harden/controls/")
        assert line.isdigit()


def test_a_control_knows_its_line(catalogue: Catalogue) -> None:
    control = catalogue.by_id["systemd.daemon.protect-system"]
    path, _, line = control.source.rpartition(":")
    text = (Path(__file__).resolve().parents[2] / path).read_text(encoding="utf-8").splitlines()
    assert "systemd.daemon.protect-system" in text[int(line) - 1]


def test_all_seven_keys_of_the_seed_are_audited(catalogue: Catalogue) -> None:
    rules = " ".join(rule for control in catalogue.of_layer("audit") for rule in control.set.get("rules", ()))
    for key in ("config", "service", "exec", "group", "ebpf", "privesc", "caps"):
        assert f"dots-family-{key}" in rules


def test_defaults_are_merged(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    control = load_catalogue(tmp_path).by_id["sysctl.one"]
    assert control.layer == "sysctl"
    assert control.severity == "medium"
    assert control.references["soc2"] == ("CC6.1",)


def test_every_problem_of_every_file_at_once(tmp_path: Path) -> None:
    unknown_key = GOOD.replace("    set:", "    colour: red\n    set:")
    unknown_directive = f"""
defaults: {{layer: unit, {REFERENCES}}}
controls:
  - {{id: unit.typo, title: A directive with a typo, set: {{unit: daemon, ProtectSytem: strict}}}}
  - {{id: unit.layer, title: A layer that is not there, layer: moon, set: {{x: 1}}}}
"""
    found = complaints(tmp_path, a=unknown_key, b=unknown_directive)
    assert any("a.yaml:6: controls.0.colour: unknown key" in line for line in found)
    assert any("b.yaml:4: unit.typo" in line and "ProtectSytem" in line for line in found)
    assert any("b.yaml:5: unit.layer" in line and "'moon'" in line for line in found)


def test_an_id_stands_once(tmp_path: Path) -> None:
    found = complaints(tmp_path, a=GOOD, b=GOOD)
    assert len(found) == 1
    assert "b.yaml:4: sysctl.one: this id stands at" in found[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("soc2: [CC6.1]", "soc2: []", "references: none for soc2"),
        ("id: sysctl.one", "id: Sysctl One", "controls.0.id"),
        ("    set: {kernel.kptr_restrict: 2}", "    severity: low", "a control needs `set`, `checks` or both"),
        ("kernel.kptr_restrict", "kernel.exec-shield", "never was in the mainline kernel"),
        ("layer: sysctl", "layer: sysctl, layer: unit", "was given already"),
    ],
)
def test_what_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    assert any(said in line for line in complaints(tmp_path, a=GOOD.replace(old, new)))


def test_an_empty_folder_is_no_catalogue(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no controls"):
        load_catalogue(tmp_path)


def test_audit_rules_are_looked_at_before_the_kernel_does(tmp_path: Path) -> None:
    def rule(text: str) -> str:
        control = f'{{id: a.b, title: Some audit rule, set: {{rules: ["{text}"]}}}}'
        return f"defaults: {{layer: audit, {REFERENCES}}}\ncontrols:\n  - {control}\n"

    assert "take no globs" in complaints(tmp_path, a=rule("-w /etc/*.conf -p wa -k x"))[0]
    assert "neither a watch" in complaints(tmp_path, a=rule("-a always,exit -S bpf -F key=x"))[0]
