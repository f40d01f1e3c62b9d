from __future__ import annotations

import errno
import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import pytest

from images import cache as module
from images.cache import KEPT, MAKING, Cache, key_of
from results.base.errors import InfrastructureError
from results.base.events import Event, Events


def writes(text: str) -> module.Make:
    def make(folder: Path) -> None:
        (folder / "file").write_text(text)

    return make


def test_the_key_depends_on_every_input_and_on_no_order() -> None:
    assert key_of({"a": "1", "b": "2"}) == key_of({"b": "2", "a": "1"})
    keys = {key_of(inputs) for inputs in ({"a": "1"}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": ""}, {"a": '1","b":"'})}
    assert len(keys) == 5


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    first = cache.get("kind", "key", writes("one"), room=1, events=Events())
    second = cache.get("kind", "key", writes("two"), room=1, events=Events())
    assert first == second
    assert (second / "file").read_text() == "one"
    anew = cache.get("kind", "key", writes("two"), room=1, events=Events(), anew=True)
    assert (anew / "file").read_text() == "two"


def test_a_failed_make_leaves_nothing(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def fails(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise InfrastructureError("broke")

    with pytest.raises(InfrastructureError, match="broke"):
        cache.get("kind", "key", fails, room=1, events=Events())
    assert cache.find("kind", "key") is None
    assert not list(tmp_path.glob(f"{MAKING}*"))


def test_leftovers_of_a_killed_build_are_swept_but_not_those_of_a_running_one(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    (tmp_path / f"{MAKING}dead" / "work").mkdir(parents=True)
    with cache.temporary(Events()) as running:
        assert not (tmp_path / f"{MAKING}dead").exists()
        with cache.temporary(Events()):
            assert running.exists()


def test_too_little_room_is_said_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil has it
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 9, 1 << 20))
    with pytest.raises(InfrastructureError, match=r"1 MiB free.* takes about 5 MiB") as caught:
        Cache(tmp_path).get("kind", "key", writes("x"), room=5 << 20, events=Events())
    assert "DOTS_FAMILY_CACHE" in caught.value.hint


def test_a_disk_that_fills_up_is_one_clear_error(tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))

    with pytest.raises(InfrastructureError, match="no room"):
        Cache(tmp_path).get("kind", "key", full, room=1, events=Events())
    assert not list(tmp_path.glob(f"{MAKING}*"))


def test_a_folder_that_cannot_be_had_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match="file/cache"):
        Cache(tmp_path / "file" / "cache").get("kind", "key", writes("x"), room=1, events=Events())


def test_the_least_used_entries_go(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for number in range(KEPT + 2):
        entry = cache.get("kind", f"{number}", writes("x"), room=1, events=Events())
        os.utime(entry, (number, number))
    left = {path.name for path in (tmp_path / "kind").iterdir()}
    assert left == {str(number) for number in range(2, KEPT + 2)}


def test_the_environment_names_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOTS_FAMILY_CACHE", str(tmp_path / "elsewhere"))
    assert Cache.default().folder == tmp_path / "elsewhere"
    monkeypatch.delenv("DOTS_FAMILY_CACHE")
    assert Cache.default().folder.parts[-2:] == (".cache", "images")


def test_a_second_build_waits_and_says_so(tmp_path: Path) -> None:
    seen: list[Event] = []
    cache = Cache(tmp_path)
    lock = tmp_path / "locks" / "kind-key"
    pid = os.fork()
    if pid == 0:  # the other build: holds the lock for a moment
        with module._locked(lock, Events(), "kind"):
            (tmp_path / "held").touch()
            time.sleep(0.5)
        os._exit(0)
    while not (tmp_path / "held").exists():
        pass
    cache.get("kind", "key", writes("x"), room=1, events=Events(seen.append))
    os.waitpid(pid, 0)
    assert any("waiting for another build" in event.text for event in seen)
