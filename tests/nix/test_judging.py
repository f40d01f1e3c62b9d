"""What the judge expects of a NixOS machine is what Nix sets on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest

from harden.check import Check
from harden.layers.audit import listed
from harden.nixos import Relocation, Store, load_rules, nixos_checks, nixos_product, places
from harden.policy import TOOLS
from harden.product import load_product
from results.base.errors import UsageError
from results.base.events import Events
from results.base.process import which
from validate import evaluator
from validate.audit.judge import judge
from validate.commands.nix import NIX
from validate.plan import Plan

GROUPS = {"parents": "dots-family-parents", "children": "dots-family-children"}
STORE = Store(
    binaries={key: f"/nix/store/1a-dots-family/bin/dots-family-{key}" for key in load_product().binaries},
    tools={tool: f"/nix/store/2b-tools/bin/{tool}" for tool in TOOLS},
    groups=GROUPS,
)
NOT_APPLICABLE = {
    "base.core-limit",
    "base.mounts",
    "base.mounts-at-boot",
    "base.security-updates",
    "dbus.session-monitor",
    "files.gshadow",
    "integrity.accounts",
    "integrity.audit",
    "integrity.base-limits",
    "integrity.base-updates",
    "integrity.rotation",
    "integrity.session-bus",
    "kernel.lockdown",
    "kernel.module-signatures",
    "logging.rotation",
    "sysctl.user-namespaces",
    "monitoring.baseline",
    "monitoring.capabilities",
    "monitoring.commands",
    "monitoring.enabled",
    "monitoring.files",
    "monitoring.kernel",
    "monitoring.limits",
    "monitoring.network",
    "monitoring.hourly",
    "monitoring.last-run",
    "monitoring.monthly",
    "monitoring.tools",
    "monitoring.units",
}


@pytest.fixture(scope="module")
def checks(plan: Plan) -> tuple[Check, ...]:
    return nixos_checks(plan.checks, plan.product, STORE, plan.tree)


@pytest.fixture(scope="module")
def evaluated() -> Iterator[Any]:
    if which(evaluator.EVALUATOR) is None:
        pytest.fail("this host has no nix-instantiate: run `nox -s doctor -- --fix`")

    def words(values: dict[str, str]) -> str:
        return "{ " + " ".join(f'"{name}" = "{value}";' for name, value in values.items()) + " }"

    given = f"binaries = {words(STORE.binaries)}; tools = {words(STORE.tools)}; groups = {words(GROUPS)};"
    with evaluator.private_store() as environment:
        yield evaluator.evaluate(f"import {NIX}/lib/policy.nix {{ {given} }}", environment, Events())


def expected(checks: tuple[Check, ...], *fact: str) -> list[Any]:
    return [check.expected for check in checks if all(map(fnmatchcase, check.fact, fact)) and check.fact]


def test_every_control_stays_and_says_why_where_nothing_is_to_be_seen(plan: Plan, checks: tuple[Check, ...]) -> None:
    assert {one.control for one in checks} == {one.control for one in plan.checks}
    inapplicable = [one for one in checks if one.op == "inapplicable"]
    assert {one.control for one in inapplicable} == NOT_APPLICABLE
    findings = judge([one.to_json() for one in inapplicable], {})
    assert {one["outcome"] for one in findings} == {"not-applicable"}
    assert all(len(one["message"]) > 20 for one in findings)


def test_audit_rules_are_those_that_nix_loads(checks: tuple[Check, ...], evaluated: Any) -> None:
    rules = {listed(rule) for rule in evaluated["layers"]["audit"]["security"]["audit"]["rules"]}
    wanted = {rule for rules in expected(checks, "audit", "rules") for rule in rules}
    assert wanted == rules


def test_kernel_settings_are_those_that_nix_sets(checks: tuple[Check, ...], evaluated: Any) -> None:
    layers = evaluated["layers"]
    values = layers["sysctl"]["boot"]["kernel"]["sysctl"] | layers["tuning"]["boot"]["kernel"]["sysctl"]
    wanted = {one.fact[1]: one.expected for one in checks if one.fact[:1] == ("sysctl",)}
    assert wanted == {name: str(value).split() for name, value in values.items()}
    words = {word for one in expected(checks, "machine", "cmdline") for word in one}
    assert words == set(layers["kernel"]["boot"]["kernelParams"])


def test_the_bus_policy_is_the_one_that_nix_places(checks: tuple[Check, ...], evaluated: Any) -> None:
    digest = hashlib.sha256(evaluated["texts"]["bus"].encode()).hexdigest()
    assert set(expected(checks, "dbus", "policies", "*", "sha256")) == {digest}


def test_no_path_of_debian_is_left(checks: tuple[Check, ...], plan: Plan) -> None:
    same = {rule.link for rule in load_rules().files}
    ours = [path for path in plan.tree.by_path if path not in same]
    told = [str(value) for one in checks for value in (*one.fact, one.expected)]
    assert not [value for value in told for path in (*ours, *plan.product.binaries.values()) if path in value]


def test_every_rule_of_nixos_yaml_has_something_to_say(plan: Plan) -> None:
    facts = {".".join(one.fact) for one in plan.checks}
    files = {one.fact[1] for one in plan.checks if one.fact[0] == "files"}
    rules = load_rules()
    assert [one.debian for one in rules.files if not any(fnmatchcase(path, one.debian) for path in files)] == []
    patterns = [one.fact for one in (*rules.absent, *rules.others)]
    assert [pattern for pattern in patterns if not any(fnmatchcase(fact, pattern) for fact in facts)] == []
    assert set(places()["watches"]) <= {rule.split()[1] for one in plan.checks for rule in rules_of(one)}


def rules_of(check: Check) -> list[str]:
    return [rule for rule in check.expected if rule.startswith("-w ")] if check.fact == ("audit", "rules") else []


def test_a_file_of_which_nothing_is_known_on_nixos_is_told(plan: Plan) -> None:
    path = "/etc/nowhere/x.conf"
    file = replace(plan.tree.files[0], path=path)
    check = replace(plan.checks[0], fact=("files", path, "sha256"))
    with pytest.raises(UsageError, match=r"nixos\.yaml does not say what stands for /etc/nowhere/x\.conf"):
        nixos_checks([check], plan.product, STORE, replace(plan.tree, files=(file,)))


def test_the_product_lies_in_the_store(plan: Plan) -> None:
    product = nixos_product(plan.product, STORE)
    assert product.binaries == STORE.binaries
    assert product.groups == {**plan.product.groups, **GROUPS}
    assert "/nix/store/2b-tools/bin/kill" in product.units["daemon"].helpers
    assert Relocation(plan.product, Store(binaries={})).text("/usr/bin/kill") == "/usr/bin/kill"
