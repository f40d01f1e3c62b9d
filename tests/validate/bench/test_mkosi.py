"""What mkosi is asked to build: our own packages, from our own mirror."""

from __future__ import annotations

from pathlib import Path

import pytest

from images.target import load_target
from results.base.events import Events
from validate.bench import mkosi

TARGET = load_target("debian-trixie")


@pytest.mark.parametrize("bootable", [True, False])
@pytest.mark.parametrize("bus", [True, False])
def test_it_builds_our_packages_and_our_suite(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    bootable: bool,
    bus: bool,
) -> None:
    line = "deb [signed-by=/k] http://mirror.test/debian trixie main"
    monkeypatch.setattr("images.apt.discover", lambda _target: (line,))
    monkeypatch.setattr(mkosi, "FILE_SYSTEMS", tmp_path / "filesystems")
    monkeypatch.setattr(mkosi, "SYSTEM_BUS", tmp_path if bus else tmp_path / "nowhere")
    (tmp_path / "filesystems").write_text("nodev\tproc\n\text4\n" + ("\tvfat\n" if bootable else ""))
    with mkosi.peer(TARGET, tmp_path, Events(lambda _event: None)) as peer:
        words = dict(zip(peer.words, [*peer.words[1:], ""], strict=True))
        folder = peer.folder
        assert (folder / "extra" / "etc").is_dir()
    assert not folder.exists()
    assert words["--mirror"] == "http://mirror.test/debian"
    assert words["--release"] == "trixie"
    assert ("--bootable" in words, "--nspawn-keep-unit" in words) == (bootable, not bus)
    without = mkosi.OTHERWISE if bootable else set()
    assert set(words["--package"].split(",")) == set(TARGET.packages) - without


def test_a_host_without_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mkosi, "which", lambda _program: None)
    assert mkosi.why_not() == "mkosi is not on this host"
    monkeypatch.setattr(mkosi, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert mkosi.why_not() == "mkosi wants root"
