from __future__ import annotations

import pytest

from harden.names import names_of, resolve
from harden.product import Product
from results.base.errors import UsageError

NAMES = {"unit": {"capabilities": ("A", "B"), "name": "x.service"}, "port": 8080}


def test_a_whole_reference_keeps_its_type() -> None:
    assert resolve("${port}", NAMES) == 8080
    assert resolve("${unit.capabilities}", NAMES) == ["A", "B"]


def test_a_part_of_a_text_becomes_text() -> None:
    assert resolve("/run/${unit.name}.d", NAMES) == "/run/x.service.d"


def test_a_list_in_a_list_is_spliced() -> None:
    assert resolve(["@system-service", "${unit.capabilities}"], NAMES) == ["@system-service", "A", "B"]


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match="no 'moon'"):
        resolve({"a": ["${unit.moon}"]}, NAMES)


def test_the_products_derived_names(product: Product) -> None:
    names = names_of(product)
    assert names["units"]["monitor"]["glob"] == "dots-family-monitor@*.service"
    assert "Ping" in names["bus"]["members"]
