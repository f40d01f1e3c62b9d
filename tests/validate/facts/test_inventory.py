"""The walk for what is dangerous anywhere, over a real tree."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from validate.facts.guest import inventory, walking
from validate.facts.guest.context import Commands, Context, Reader


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine of one file system."""
    for folder in ("proc/self", "etc", "bin", "tmp"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(
        "1 0 8:1 / / rw - ext4 /dev/vda2 rw\n2 1 0:5 / /proc rw - proc p rw\n"
    )
    (tmp_path / "etc/passwd").write_text(f"me:x:{os.getuid()}:{os.getgid()}::/:/bin/sh\n")
    (tmp_path / "etc/group").write_text(f"us:x:{os.getgid()}:\n")
    return tmp_path


def make(path: Path, mode: int) -> None:
    path.touch()
    path.chmod(mode)


def look(root: Path) -> tuple[dict[str, Any], dict[str, str]]:
    context = Context(Reader(str(root)), Commands(), {})
    return inventory.collect(context), context.errors


def test_what_is_dangerous_is_found_and_nothing_else(root: Path) -> None:
    make(root / "bin/su", 0o4755)
    make(root / "bin/plain", 0o755)
    make(root / "etc/open", 0o666)
    (root / "bin/link").symlink_to("su")
    (root / "tmp").chmod(0o1777)
    (root / "etc/anyone").mkdir()
    (root / "etc/anyone").chmod(0o777)
    facts, errors = look(root)
    assert facts["setuid"] == {"/bin/su": "4755 me us"}
    assert facts["world_writable"] == ["/etc/anyone", "/etc/open"]
    assert facts["file_caps"] == {}
    assert errors == {}


def test_a_name_of_any_bytes_survives_json(root: Path) -> None:
    raw = os.fsencode(root / "bin") + b"/a\xff\n"
    os.close(os.open(raw, os.O_CREAT | os.O_WRONLY))
    os.chmod(raw, 0o4711)  # noqa: PTH101, S103 - its name is bytes, and it is what is looked for
    assert list(look(root)[0]["setuid"]) == ["/bin/a\\xff\n"]


def test_looking_leaves_no_trace(root: Path) -> None:
    os.utime(root / "bin", (1, 1))
    look(root)
    assert (root / "bin").stat().st_atime == 1


def test_a_folder_too_deep_to_open_is_said_and_not_passed_over(root: Path) -> None:
    """Someone may hide a file below a path that is longer than the kernel takes."""
    here = os.open(root, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    _, errors = look(root)
    assert len(errors) == 1
    assert next(iter(errors)).startswith("setuid./ddd")
    assert "too long" in next(iter(errors.values()))


def test_a_mount_that_cannot_be_looked_at_is_said(root: Path) -> None:
    with (root / "proc/self/mountinfo").open("a") as file:
        file.write("3 1 8:2 / /gone rw - ext4 /dev/vdb rw\n")
    assert "setuid./gone" in look(root)[1]


def test_a_tree_of_many_folders_is_walked_whole_by_several_processes(root: Path) -> None:
    for number in range(400):
        (root / f"usr/share/{number % 20}/{number}/deep/er").mkdir(parents=True)
        make(root / f"usr/share/{number % 20}/{number}/deep/er/tool", 0o4755)
    facts, errors = look(root)
    assert len(facts["setuid"]) == 400
    assert errors == {}


def test_a_walk_that_is_broken_off_is_an_error_and_no_short_list(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = os.getpid()
    look_into = walking.look_into

    def dying(*arguments: Any) -> Any:
        if os.getpid() != parent:
            os._exit(7)
        return look_into(*arguments)

    monkeypatch.setattr(walking, "ENOUGH", 1)
    monkeypatch.setattr(walking, "look_into", dying)
    with pytest.raises(OSError, match="ended with status"):
        look(root)
