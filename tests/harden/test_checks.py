from __future__ import annotations

import json

from harden.catalogue import Catalogue
from harden.check import OPERATIONS, READS, Check
from harden.render import Tree


def of(checks: tuple[Check, ...], control: str) -> list[Check]:
    return [check for check in checks if check.control == control]


def test_every_control_is_judged(catalogue: Catalogue, all_checks: tuple[Check, ...]) -> None:
    assert {control.id for control in catalogue.controls} == {check.control for check in all_checks}


def test_checks_are_complete_and_survive_json(all_checks: tuple[Check, ...]) -> None:
    for check in all_checks:
        assert check.op in OPERATIONS
        assert check.read in READS
        assert check.remediation
        assert "${" not in json.dumps(check.to_json())
        assert Check.from_json(json.loads(json.dumps(check.to_json()))) == check


def test_every_file_is_missed_by_a_control_that_fails_the_run(tree: Tree, all_checks: tuple[Check, ...]) -> None:
    for file in tree.files:
        watching = [check for check in all_checks if check.fact[:2] == ("files", file.path) and check.op == "equals"]
        assert any(check.severity in ("critical", "high") and check.expected == file.sha256 for check in watching)


def test_capabilities_are_read_from_the_process(all_checks: tuple[Check, ...]) -> None:
    found = of(all_checks, "systemd.daemon.capability-bounds")
    assert ("units", "dots-family-daemon.service", "process", "cap_bnd") in [check.fact for check in found]


def test_denied_groups_of_calls_are_taken_apart(all_checks: tuple[Check, ...]) -> None:
    (check,) = [one for one in of(all_checks, "systemd.daemon.syscall-deny-namespaces") if one.op == "excludes"]
    assert {"mount", "umount2", "setns", "unshare"} <= set(check.expected)


def test_sizes_are_bytes_as_systemd_prints_them(all_checks: tuple[Check, ...]) -> None:
    (check,) = of(all_checks, "systemd.daemon.memory-max")
    assert check.expected == str(512 << 20)


def test_a_template_is_judged_by_its_instances(all_checks: tuple[Check, ...]) -> None:
    units = {check.fact[1] for check in all_checks if check.control.startswith("systemd.monitor.")}
    assert units == {"dots-family-monitor@*.service"}


def test_settings_are_read_live_and_as_configured(all_checks: tuple[Check, ...]) -> None:
    facts = [check.fact[0] for check in of(all_checks, "sysctl.kptr-restrict")]
    assert facts == ["sysctl", "sysctl_configured"]
