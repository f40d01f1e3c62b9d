from __future__ import annotations

import pytest

from validate.commands.nix import sources
from validate.nix_lint import complaints, unused


def test_our_files_have_nothing_to_complain_of() -> None:
    assert {path.name: complaints(path.read_text()) for path in sources() if complaints(path.read_text())} == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("let a = 1; b = a; in b", ()),
        ("let a = 1; b = 2; in b", ("a",)),
        ("{ lib, pkgs, ... }: lib", ("pkgs",)),
        ("{ lib, given ? { a = 1; }, ... }@all: [ lib all ]", ("given",)),
        ("let f = { x, y }: x; in f", ("y",)),
        ("let a = { b = 1; }; in a", ()),
        ("let a = let c = 1; d = 2; in d; in a", ("c",)),
        ("let place = import ../lib/place.nix; in 1", ("place",)),
        ("let _unused = 1; in 2", ()),
        ('let a = 1; in "${a}" # b', ()),
        ("let a = 1; # a is not used\nin 2", ("a",)),
    ],
)
def test_names_that_nothing_uses(text: str, names: tuple[str, ...]) -> None:
    assert unused(text) == names


def test_white_space_is_told_by_line() -> None:
    assert complaints("{\n  a = 1; \n\tb = 2;\n}") == (
        "line 2: blanks at the end",
        "line 3: a tab",
        "the file does not end with one line end",
    )
