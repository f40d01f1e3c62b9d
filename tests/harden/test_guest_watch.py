"""The monitor's looks: what they tell, and what a folder of the daemon's cannot make them do."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from harden.guest import watch
from harden.guest.manifest import Entry, Manifest


def made(folder: Path) -> Manifest:
    path = folder / "rules"
    path.write_bytes(b"as it should be")
    path.chmod(0o640)
    entry = Entry(path, "0640", "root", "root", hashlib.sha256(b"as it should be").hexdigest())
    return Manifest(folder, (), (), (), (), {}, (folder / "kept",), Path("/nothing"), (entry,))


def test_a_changed_file_is_told(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    manifest.files[0].path.write_bytes(b"other")
    assert any("integrity" in alert for alert in watch.integrity(manifest))


def test_what_anybody_may_write_is_told(tmp_path: Path) -> None:
    manifest = made(tmp_path)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    assert not list(watch.permissions(manifest))
    (tmp_path / "kept/file").chmod(0o622)
    assert len(list(watch.permissions(manifest))) == 1


def test_events_are_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(
        b'type=AVC msg=audit(1.0:1): apparmor="DENIED" operation="open" profile="dots-family.daemon" name=\xff\n'
        b'type=SYSCALL msg=audit(1.0:2): arch=c000003e key="dots-family-config"\n'
        b"type=SYSCALL half of a li"
    )
    monkeypatch.setattr(watch, "AUDIT_LOG", log)
    monkeypatch.setattr(watch, "_journal", lambda _folder: iter(()))
    told = list(watch.events({"name": "dots-family"}, tmp_path))
    assert [text.split(":")[0] for text in told] == ["audit", "denied"]
    assert not list(watch.events({"name": "dots-family"}, tmp_path))


def test_what_was_too_much_to_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b"type=OTHER\n" * 20)
    monkeypatch.setattr(watch, "AUDIT_LOG", log)
    monkeypatch.setattr(watch, "_journal", lambda _folder: iter(()))
    monkeypatch.setattr(watch, "MOST", 22)
    told = list(watch.events({"name": "dots-family"}, tmp_path))
    assert told == [f"audit: 198 bytes of {log} were not looked at: too much since the last look"]
    assert not list(watch.events({"name": "dots-family"}, tmp_path))


@pytest.mark.parametrize("kind", ["symlink", "hardlink", "pipe"])
def test_the_log_is_no_way_to_another_file(tmp_path: Path, kind: str) -> None:
    victim, log = tmp_path / "victim", tmp_path / "log"
    victim.write_bytes(b"")
    if kind == "symlink":
        log.symlink_to(victim)
    elif kind == "hardlink":
        os.link(victim, log)
    else:
        os.mkfifo(log)
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the kind
        watch.append(log, ["x"])
    assert victim.read_bytes() == b""


def test_a_hostile_name_stays_within_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = made(tmp_path)
    (tmp_path / "kept").mkdir()
    name = os.fsencode(tmp_path / "kept") + b"/a\nALERT forged \x1b[2J\xff"
    os.close(os.open(name, os.O_CREAT))
    os.chmod(name, 0o622)  # noqa: PTH101, S103 - bytes: any name must do
    for look in ("units", "profiles", "ebpf", "events"):
        monkeypatch.setattr(watch, look, lambda *_words: iter(()))
    (told,) = watch.all_alerts(manifest, {}, tmp_path / "notes")
    assert told.isprintable()
    assert "a?ALERT forged" in told


def test_the_log_begins_anew_and_keeps_one_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LONGEST_LOG", 10)
    for word in ("one", "two", "three"):
        watch.append(tmp_path / "log", [word])
    assert "three" in (tmp_path / "log").read_text(encoding="utf-8")
    assert "two" in (tmp_path / "log.1").read_text(encoding="utf-8")
    assert len(list(tmp_path.iterdir())) == 2


def test_the_log_grows(tmp_path: Path) -> None:
    watch.append(tmp_path / "log", ["one"])
    watch.append(tmp_path / "log", ["two"])
    assert [line.split()[1] for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()] == ["one", "two"]
