"""What a host lacks to build NixOS is told before anything is begun; Nix itself is played here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from images import nixos
from images.cache import Cache
from images.target import debian_names, load_target, target_names
from results.base.errors import ExitCode, InfrastructureError
from results.base.events import Events


def played(monkeypatch: pytest.MonkeyPatch, answers: dict[str, tuple[int, str]], nix: str | None = "/bin/nix") -> None:
    """Let `nix` answer by the first words that one of the keys has; anything else fails the test."""

    def run(argv: Sequence[str], **_: Any) -> SimpleNamespace:
        words = " ".join(argv)
        status, text = next(answer for key, answer in answers.items() if key in words)
        return SimpleNamespace(status=status, text=text, tail=text)

    monkeypatch.setattr(nixos, "which", lambda _: nix)
    monkeypatch.setattr(nixos, "run_command", run)


CONFIG = "builders = \nsubstituters = https://cache.invalid/ /mnt/store\n"


def test_no_nix_and_an_old_one_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, {}, nix=None)
    assert nixos.lacking(Events()) == "there is no `nix` on PATH"
    played(monkeypatch, {"--version": (0, "nix (Nix) 2.8.0")})
    assert nixos.lacking(Events()) == "nix is 2.8.0, and nixpkgs wants 2.18 at least"


def test_substituters_that_do_not_answer_are_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"--version": (0, "nix (Nix) 2.26.3"), "show-config": (0, CONFIG), "ping": (1, "no")}
    played(monkeypatch, answers)
    assert "no answer from https://cache.invalid/, /mnt/store" in nixos.lacking(Events())
    played(monkeypatch, {"ping --store /mnt/store": (0, ""), **answers})
    assert nixos.lacking(Events()) == ""


def test_builders_may_stand_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "machines"
    answers = {"--version": (0, "nix 2.26.3"), "show-config": (0, f"builders = @{file}\n"), "ping": (1, "")}
    played(monkeypatch, answers)
    assert nixos.lacking(Events()).startswith("there is no source of store paths")
    file.write_text("ssh://builder x86_64-linux\n")
    assert nixos.lacking(Events()) == ""


def test_what_is_ready_needs_no_nix(monkeypatch: pytest.MonkeyPatch) -> None:
    played(monkeypatch, {}, nix=None)
    nixos.require(("baseline", "hardened"), {"baseline": Path("a"), "hardened": Path("b")}, Events())
    with pytest.raises(InfrastructureError, match="no image for hardened") as error:
        nixos.require(("baseline", "hardened"), {"baseline": Path("a")}, Events())
    assert error.value.exit_code is ExitCode.INFRASTRUCTURE
    assert "--image baseline=FOLDER --image hardened=FOLDER" in error.value.hint


def test_what_nix_built_is_kept_with_our_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / nixos.DISK).write_bytes(b"disk")
    (made / nixos.STORE).write_text(json.dumps({"binaries": {}}))
    played(monkeypatch, {"build": (0, f"{made}\n")})
    images = nixos.build(["baseline"], cache=Cache(tmp_path / "cache"), events=Events())
    assert images["baseline"].disk.read_bytes() == b"disk"
    assert images["baseline"].record.target == "nixos"
    assert (images["baseline"].folder / nixos.STORE).is_file()


def test_nixos_is_a_target_that_all_leaves_out() -> None:
    assert "nixos" in target_names()
    assert load_target("nixos").distribution == "nixos"
    assert "nixos" not in debian_names()
