from __future__ import annotations

import configparser
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from harden.catalogue import Catalogue
from harden.product import Product
from harden.render import Tree, render
from results.base.errors import UsageError

PATHS = [
    "/etc/apparmor.d/dots-family.ctl",
    "/etc/apparmor.d/dots-family.daemon",
    "/etc/apparmor.d/dots-family.filter",
    "/etc/apparmor.d/dots-family.monitor",
    "/etc/apt/apt.conf.d/52dots-family-updates",
    "/etc/audit/rules.d/50-dots-family.rules",
    "/etc/dbus-1/session.d/org.dots.FamilyMonitor.conf",
    "/etc/dots-family-hardening/egress.nft",
    "/etc/dots-family-hardening/egress.py",
    "/etc/issue",
    "/etc/issue.net",
    "/etc/login.defs",
    "/etc/logrotate.d/dots-family",
    "/etc/modprobe.d/dots-family.conf",
    "/etc/polkit-1/rules.d/50-dots-family.rules",
    "/etc/profile.d/dots-family.sh",
    "/etc/security/limits.d/10-coredump-debian.conf",
    "/etc/ssh/sshd_config.d/50-dots-family-hardening.conf",
    "/etc/sysctl.d/99-dots-family-tuning.conf",
    "/etc/sysctl.d/99-zz-dots-family-security.conf",
    "/etc/systemd/coredump.conf.d/50-dots-family.conf",
    "/etc/systemd/journald.conf.d/50-dots-family.conf",
    "/etc/systemd/system/dots-family-daemon.service.d/50-dots-family-hardening.conf",
    "/etc/systemd/system/dots-family-egress.path",
    "/etc/systemd/system/dots-family-egress.service",
    "/etc/systemd/system/dots-family-filter.service.d/50-dots-family-hardening.conf",
    "/etc/systemd/system/dots-family-monitor@.service.d/50-dots-family-hardening.conf",
    "/etc/systemd/system/dots-family-mounts.service",
    "/etc/systemd/system/multi-user.target.d/50-dots-family-hardening.conf",
    "/etc/systemd/system/nftables.service.d/50-dots-family-hardening.conf",
    "/etc/systemd/system/sysinit.target.d/50-dots-family-mounts.conf",
    "/etc/systemd/system/systemd-sysusers.service.d/50-dots-family-hardening.conf",
    "/etc/systemd/system/user-.slice.d/50-dots-family-hardening.conf",
    "/etc/sysusers.d/dots-family-hardening.conf",
    "/etc/tmpfiles.d/dots-family-hardening.conf",
    "/usr/share/dbus-1/system-services/org.dots.FamilyDaemon.service",
    "/usr/share/dbus-1/system.d/org.dots.FamilyDaemon.conf",
]
RULES = "/etc/audit/rules.d/50-dots-family.rules"
DAEMON = "/etc/systemd/system/dots-family-daemon.service.d/50-dots-family-hardening.conf"
POLICY = "/usr/share/dbus-1/system.d/org.dots.FamilyDaemon.conf"


def text(tree: Tree, path: str) -> str:
    return tree.by_path[path].content.decode()


def test_the_tree_holds_these_files_and_no_others(tree: Tree) -> None:
    assert [file.path for file in tree.files] == PATHS


@pytest.mark.parametrize("path", PATHS)
def test_golden(tree: Tree, golden: Callable[[str, bytes], None], path: str) -> None:
    golden(path, tree.by_path[path].content)


def test_golden_parameters(tree: Tree, golden: Callable[[str, bytes], None]) -> None:
    golden("kernel-parameters", ("\n".join(tree.kernel_parameters) + "\n").encode())


def test_the_same_in_gives_the_same_out(catalogue: Catalogue, product: Product, tree: Tree) -> None:
    assert render(catalogue, product) == tree


def test_the_digest_follows_the_content(catalogue: Catalogue, product: Product, tree: Tree) -> None:
    other = product.model_copy(update={"paths": {**product.paths, "state": "/srv/family"}})
    assert render(catalogue, other).digest != tree.digest


def test_every_file_is_roots_and_says_whose_it_is(tree: Tree) -> None:
    for file in tree.files:
        assert (file.owner, file.group) == ("root", "root")
        assert not file.mode & 0o022
        assert file.controls
        # a greeting is for people, who need not know which file it stands in
        assert file.path in file.content.decode() or file.path.startswith("/etc/issue")


def test_denied_calls_stand_on_lines_of_their_own(tree: Tree) -> None:
    lines = [line for line in text(tree, DAEMON).splitlines() if line.startswith("SystemCallFilter=")]
    assert lines[0] == "SystemCallFilter="
    assert lines[1] == "SystemCallFilter=@system-service bpf perf_event_open"
    assert all(re.fullmatch(r"SystemCallFilter=~[^~]+", line) for line in lines[2:])
    assert len(lines) > 4


def test_what_adds_up_is_cleared_first(tree: Tree) -> None:
    lines = text(tree, DAEMON).splitlines()
    for name in ("CapabilityBoundingSet", "AmbientCapabilities", "ReadWritePaths", "IPAddressDeny"):
        own = [line for line in lines if line.startswith(f"{name}=")]
        assert own[0] == f"{name}="
        assert len(own) == 2


def test_drop_ins_are_ini_files_of_two_sections(tree: Tree) -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text(tree, DAEMON))
    assert set(parser.sections()) <= {"Unit", "Service"}


def test_the_bus_policy_is_the_declared_matrix(tree: Tree, product: Product) -> None:
    root = ET.fromstring(text(tree, POLICY))  # noqa: S314 - rendered here
    for role, group in product.groups.items():
        policy = next(one for one in root.iter("policy") if one.get("group") == group)
        assert sorted(one.attrib["send_member"] for one in policy) == list(product.bus.allowed(role))
        assert all(one.attrib["send_destination"] == product.bus.name for one in policy)
    default = next(one for one in root.iter("policy") if one.get("context") == "default")
    assert {one.tag for one in default} == {"deny"}
    assert not [one for one in root.iter("policy") if one.get("context") == "mandatory"]


def test_rules_are_locked_last(tree: Tree) -> None:
    assert text(tree, RULES).rstrip().endswith("-e 2")


def test_no_capability_but_the_declared_ones(tree: Tree) -> None:
    granted = re.findall(r"^  capability (\w+),$", text(tree, "/etc/apparmor.d/dots-family.daemon"), re.MULTILINE)
    assert granted == ["bpf", "perfmon", "kill"]
    for name in ("monitor", "filter", "ctl"):
        assert not re.search(r"^  capability", text(tree, f"/etc/apparmor.d/dots-family.{name}"), re.MULTILINE)


def test_another_product_is_another_file_not_other_code(catalogue: Catalogue, product: Product) -> None:
    groups = {"parents": "dots-family-parents", "children": "dots-family-children", "monitors": "dots-monitors"}
    policy = text(render(catalogue, product.model_copy(update={"groups": groups})), POLICY)
    assert "dots-family-parents" in policy
    assert '"dots-parents"' not in policy


def test_a_product_that_does_not_fit_is_told_with_its_controls(catalogue: Catalogue, product: Product) -> None:
    with pytest.raises(UsageError) as raised:
        render(catalogue, product.model_copy(update={"configuration": {}}))
    assert "harden/controls/files.yaml:" in raised.value.what
    assert "the product has no 'daemon'" in raised.value.what
