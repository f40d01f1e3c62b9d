"""Golden files: `REFRESH_GOLDEN=1 pytest tests/harden` writes them anew; look at the difference before committing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harden.catalogue import Catalogue, load_catalogue
from harden.check import Check
from harden.checks import checks
from harden.product import Product, load_product
from harden.render import Tree, render
from harden.tools import with_tools

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="session")
def product() -> Product:
    return load_product()


@pytest.fixture(scope="session")
def tree(catalogue: Catalogue, product: Product) -> Tree:
    return render(catalogue, product)


@pytest.fixture(scope="session")
def all_checks(catalogue: Catalogue, product: Product, tree: Tree) -> tuple[Check, ...]:
    return checks(catalogue, product, with_tools(tree, {}))


@pytest.fixture
def golden() -> Callable[[str, bytes], None]:
    """Compare with a golden file, or write it."""

    def compare(name: str, content: bytes) -> None:
        path = GOLDEN / name.lstrip("/")
        if os.environ.get("REFRESH_GOLDEN") == "1":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        assert path.is_file(), f"{path.name}: no golden file; REFRESH_GOLDEN=1 writes it"
        assert content.decode() == path.read_text(encoding="utf-8")

    return compare
