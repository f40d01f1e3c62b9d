from __future__ import annotations

import stat
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from images.ext4 import Entry, complaints, ids, parse_listing, safe_path, used_inodes
from images.harden_disk import ancestors, placements, write_commands
from results.base.errors import UsageError

FOLDER = Entry(12, stat.S_IFDIR | 0o755, 0, 0, 0)
FILE = Entry(13, stat.S_IFREG | 0o644, 0, 0, 5)
LINK = Entry(14, stat.S_IFLNK | 0o777, 0, 0, 5)
USERS = {"root": 0, "dots-family": 987}
GROUPS = {"root": 0, "dots-parents": 989}


@dataclass(frozen=True)
class File:
    path: str
    content: bytes = b"x"
    mode: int = 0o640
    owner: str = "root"
    group: str = "dots-parents"
    controls: tuple[str, ...] = ()


def test_a_new_file_in_new_folders() -> None:
    files = placements([File("/etc/a/b/c.conf")], USERS, GROUPS)
    commands = write_commands(files, {"/": {"etc": FOLDER}, "/etc": {}}, 7)
    assert commands[:10] == [
        "mkdir /etc/a",
        "sif /etc/a mode 040755",
        "mkdir /etc/a/b",
        "sif /etc/a/b mode 040755",
        "cd /etc/a/b",
        "write f0 c.conf",
        "sif /etc/a/b/c.conf mode 0100640",
        "sif /etc/a/b/c.conf uid 0",
        "sif /etc/a/b/c.conf gid 989",
        "sif /etc atime @7",
    ]
    assert "sif /etc/a/b/c.conf mtime @7" in commands
    assert "sif /etc/a mtime @7" in commands


def test_a_file_that_is_there_is_replaced() -> None:
    files = placements([File("/etc/x")], USERS, GROUPS)
    commands = write_commands(files, {"/": {"etc": FOLDER}, "/etc": {"x": FILE}}, 7)
    assert commands[:3] == ["rm /etc/x", "cd /etc", "write f0 x"]


@pytest.mark.parametrize(
    "there", [{"/": {"etc": LINK}}, {"/": {"etc": FILE}}, {"/": {"etc": FOLDER}, "/etc": {"x": FOLDER}}]
)
def test_a_tree_that_does_not_fit_is_refused(there: dict[str, dict[str, Entry]]) -> None:
    files = placements([File("/etc/x")], USERS, GROUPS)
    with pytest.raises(UsageError, match="/etc/x"):
        write_commands(files, there, 7)


def test_all_misfits_are_named_at_once() -> None:
    bad = [
        File("/etc/a b"),
        File("/etc/ok", owner="nobody-here"),
        File("/etc/group", group="root"),
        File("/run/x"),
        File("/etc/twice"),
        File("/etc/twice"),
        File("/etc/g", group="gone"),
    ]
    with pytest.raises(UsageError) as caught:
        placements(bad, USERS, GROUPS)
    assert len(caught.value.what.splitlines()) == 6


@pytest.mark.parametrize(
    "path",
    [
        "etc/x",
        "/etc/../x",
        "/etc//x",
        "/etc/x\nrm /etc/y",
        '/etc/"x"',
        "/etc/x y",
        "/",
        "",
        "/etc/<12>",
        "/-x",
        "/etc/.",
    ],
)
def test_hostile_paths_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="no plain absolute path"):
        safe_path(path)


@given(st.text())
def test_a_path_that_is_taken_is_one_word_of_a_script(path: str) -> None:
    try:
        taken = safe_path(path)
    except ValueError:
        return
    assert taken.startswith("/")
    assert not set(taken) & set(" \t\r\n\"'\\<>;|&$`")
    assert ".." not in taken.split("/")


def test_unit_names_and_the_merged_usr_are_taken() -> None:
    assert safe_path("/etc/systemd/system/dots-family-monitor@.service.d/50-x.conf").endswith("50-x.conf")
    assert safe_path("/lib/systemd/x") == "/usr/lib/systemd/x"
    assert ancestors("/a/b/c") == ["/a", "/a/b"]


def test_listings_are_read() -> None:
    text = "/20/040755/0/0/.//\n/2/040755/0/0/..//\n/21/100640/1/42/x.conf/76/\n\nnonsense\n"
    assert parse_listing(text.splitlines()) == {"x.conf": Entry(21, 0o100640, 1, 42, 76)}


def test_ids_skip_what_makes_no_sense() -> None:
    assert ids("root:x:0:0::/:/bin/sh\n\nodd\nbad:x:y:\n") == {"root": 0}


def test_free_inodes_are_not_used_ones() -> None:
    text = "Inode count:              20\n  Free inodes: 13-15, 18\n  Free inodes: 20\n"
    assert list(used_inodes(text)) == [*range(1, 13), 16, 17, 19]


def test_the_version_is_no_complaint() -> None:
    assert complaints(b"debugfs 1.47.0 (5-Feb-2023)\n\n") == []
    assert complaints(b"debugfs 1.47.2 (1-Jan-2025)\nrm: File not found\n") == ["rm: File not found"]
