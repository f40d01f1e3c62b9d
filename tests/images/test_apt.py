from __future__ import annotations

from pathlib import Path

import pytest

from images import apt
from images.target import Mirror, Target
from results.base.errors import InfrastructureError

KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"


def etc(folder: Path, *, one_line: str = "", deb822: str = "") -> Path:
    (folder / "sources.list.d").mkdir()
    (folder / "sources.list").write_text(one_line)
    (folder / "sources.list.d" / "debian.sources").write_text(deb822)
    return folder


def target(tmp_path: Path, mirror: Mirror | None = None) -> Target:
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    return Target(
        name="debian-trixie",
        title="Debian 13",
        distribution="debian",
        suite="trixie",
        packages=("systemd",),
        mirror=mirror,
        keyring=str(keyring),
    )


def test_one_line_entries() -> None:
    text = """
# a comment
deb http://mirror.example/debian bookworm main contrib # the rest
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg trusted=yes] https://other.example/x nodistro main
"""
    first, second = apt.parse_one_line(text)
    assert first == apt.Source("http://mirror.example/debian", "bookworm", ("main", "contrib"))
    assert (second.signed_by, second.trusted) == ("/k.gpg", True)


def test_deb822_entries() -> None:
    text = f"""\
Types: deb deb-src
# a comment in the middle
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: {KEY}

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://src.example/debian
Suites: bookworm
Components: main
"""
    found = list(apt.parse_deb822(text))
    assert [source.suite for source in found] == ["bookworm", "bookworm-updates"]
    assert {source.uri for source in found} == {"http://mirror.example/debian"}
    assert {source.signed_by for source in found} == {KEY}


def test_the_suite_is_the_targets_and_the_mirror_is_the_hosts(tmp_path: Path) -> None:
    text = (
        "deb http://mirror.example/debian/ bookworm main\n"
        "deb http://mirror.example/debian bookworm-updates main\n"
        "deb http://security.example/debian-security bookworm-security main\n"
    )
    wanted = target(tmp_path)
    assert apt.discover(wanted, etc(tmp_path, one_line=text)) == (
        f"deb [signed-by={wanted.keyring}] http://mirror.example/debian trixie main",
        f"deb [signed-by={wanted.keyring}] http://mirror.example/debian trixie-updates main",
        f"deb [signed-by={wanted.keyring}] http://security.example/debian-security trixie-security main",
    )


@pytest.mark.parametrize(
    "line",
    [
        "deb [signed-by=/usr/share/keyrings/nodesource.gpg] https://deb.example/node bookworm main",
        "deb [trusted=yes] http://mirror.example/debian bookworm main",
        "deb https://download.example/linux/debian bookworm stable",
        "deb https://packages.example/apt cloud-sdk-bookworm main",
        "deb cdrom:[Debian]/ bookworm main",
        "deb http://archive.example/ubuntu noble main",
        "",
    ],
)
def test_entries_that_are_not_debians_are_not_used(tmp_path: Path, line: str) -> None:
    with pytest.raises(InfrastructureError, match="no Debian mirror") as caught:
        apt.discover(target(tmp_path), etc(tmp_path, one_line=line + "\n"))
    assert "mirror:" in caught.value.hint


def test_an_entry_with_debians_key_goes_first(tmp_path: Path) -> None:
    text = (
        "deb http://unsure.example/debian bookworm main\n"
        f"deb [signed-by={KEY}] http://sure.example/debian bookworm main\n"
    )
    assert "http://sure.example/debian" in apt.discover(target(tmp_path), etc(tmp_path, one_line=text))[0]


def test_a_list_of_mirrors_is_looked_into(tmp_path: Path) -> None:
    names = tmp_path / "debian.list"
    names.write_text("# mirrors\nhttps://first.example/debian/ priority:1\nhttps://second.example/debian\n")
    folder = etc(tmp_path, one_line=f"deb mirror+file:{names} bookworm main\n")
    assert " https://first.example/debian trixie main" in apt.discover(target(tmp_path), folder)[0]


def test_the_targets_own_mirror_goes_first(tmp_path: Path) -> None:
    own = target(tmp_path, Mirror(archive="http://own.example/debian/"))
    lines = apt.discover(own, etc(tmp_path, one_line="deb http://mirror.example/debian bookworm main\n"))
    assert len(lines) == 2
    assert all("http://own.example/debian " in line for line in lines)


def test_a_missing_keyring_is_named(tmp_path: Path) -> None:
    wanted = target(tmp_path).model_copy(update={"keyring": "/nowhere.gpg"})
    with pytest.raises(InfrastructureError, match=r"/nowhere\.gpg") as caught:
        apt.discover(wanted, tmp_path)
    assert "debian-archive-keyring" in caught.value.hint


def test_secrets_of_a_mirror_stay_out_of_records() -> None:
    line = "deb [signed-by=/k.gpg] https://me:secret@mirror.example/debian trixie main"
    assert apt.without_secrets(line) == "deb [signed-by=/k.gpg] https://mirror.example/debian trixie main"
