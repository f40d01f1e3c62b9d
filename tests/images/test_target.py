from __future__ import annotations

from pathlib import Path

import pytest

from images.target import FOLDER, load_target, target_names
from results.base.errors import UsageError


@pytest.mark.parametrize("name", target_names())
def test_every_target_loads(name: str) -> None:
    assert load_target(name).name == name


def test_the_two_debians_are_there() -> None:
    assert {"debian-bookworm", "debian-trixie"} <= set(target_names())


def test_an_unknown_target_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="debian-sarge") as caught:
        load_target("debian-sarge")
    assert "debian-bookworm, debian-trixie" in caught.value.hint


def test_all_mistakes_are_named_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ntitle: Mine\ndistribution: debian\nsuite: 'bad suite'\npackages: [systemd]\nflavour: sweet\n"
        "kernel_parameters: ['quiet; reboot']\n"
    )
    with pytest.raises(UsageError) as caught:
        load_target(str(path))
    assert f"{path}:4: suite" in caught.value.what
    assert f"{path}:6: flavour: unknown key" in caught.value.what
    assert f"{path}:7: kernel_parameters" in caught.value.what


def test_a_file_of_ones_own_is_a_target(tmp_path: Path) -> None:
    text = (FOLDER / "debian-trixie.yaml").read_text().replace("name: debian-trixie", "name: mine")
    (tmp_path / "mine.yaml").write_text(text)
    assert load_target(str(tmp_path / "mine.yaml")).suite == "trixie"


def test_name_and_file_agree(tmp_path: Path) -> None:
    text = (FOLDER / "debian-trixie.yaml").read_text()
    (tmp_path / "other.yaml").write_text(text)
    with pytest.raises(UsageError, match="is called 'other'"):
        load_target(str(tmp_path / "other.yaml"))
