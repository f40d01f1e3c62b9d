from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from harden.catalogue import Catalogue, load_catalogue
from harden.policy import POLICY, REFRESH, SCHEMA, placeholders, policy, segments, written
from harden.product import Product, load_product


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def product() -> Product:
    return load_product()


@pytest.fixture(scope="module")
def document(catalogue: Catalogue, product: Product) -> dict[str, Any]:
    return policy(catalogue, product)


def controls_in(value: Any) -> set[str]:
    """Every control that a setting somewhere in the document names."""
    if isinstance(value, dict):
        own = {value[key] for key in ("control", "enforced_by", "immutable") if value.get(key)}
        return own.union(*(controls_in(one) for one in value.values()))
    if isinstance(value, list):
        return set().union(*(controls_in(one) for one in value))
    return set()


def test_the_committed_policy_is_in_step(document: dict[str, Any]) -> None:
    if os.environ.get("REFRESH_GOLDEN"):
        POLICY.write_text(written(document), encoding="utf-8")
    committed = POLICY.read_text(encoding="utf-8") if POLICY.exists() else ""
    assert committed == written(document), f"nix/policy.json is out of step with harden/controls: run `{REFRESH}`"


def test_every_control_that_sets_something_stands_beside_a_setting(
    document: dict[str, Any], catalogue: Catalogue
) -> None:
    # An account control sets what an account has to look like; packages make accounts, no setting does.
    expected = {one.id for one in catalogue.controls if one.set and one.layer not in ("account", "integrity")}
    assert controls_in(document) == expected


def test_no_program_of_the_product_stands_by_its_path(document: dict[str, Any], product: Product) -> None:
    without = {key: value for key, value in document.items() if key not in ("product", "apparmor")}
    profiles = [one["segments"] for one in document["apparmor"].values()]
    text = json.dumps([without, profiles])
    assert not [path for path in product.binaries.values() if re.search(re.escape(path) + r"(?![\w./-])", text)]


def test_placeholders_keep_names_that_only_begin_alike(product: Product) -> None:
    assert placeholders("/usr/bin/dots-family-daemon mr,", product) == "@daemon@ mr,"
    assert placeholders("/usr/bin/dots-family-daemon.old mr,", product) == "/usr/bin/dots-family-daemon.old mr,"
    assert placeholders("/{,usr/}bin/kill mr,", product) == "@kill@ mr,"


def test_segments_belong_to_the_control_that_a_comment_names() -> None:
    text = "head\n  # some comment: no control\n  # a.b: title\n  rule\n}\n"
    assert segments(text, frozenset({"a.b"}), "}") == [
        {"control": None, "lines": ["head", "  # some comment: no control"]},
        {"control": "a.b", "lines": ["  # a.b: title", "  rule"]},
        {"control": None, "lines": ["}"]},
    ]


def test_the_document_is_plain_data(document: dict[str, Any]) -> None:
    assert json.loads(written(document)) == document
    assert document["schema"] == SCHEMA
