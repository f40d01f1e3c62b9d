"""What is missing is named with the command that mends it."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from validate.requirements import mending_command


@dataclass(frozen=True)
class Need:
    package: str
    why: str = "a reason"


def test_nothing_missing_needs_no_command() -> None:
    assert mending_command([]) == []


@pytest.mark.parametrize(("uid", "prefix"), [(0, []), (1000, ["sudo"])])
def test_the_command_names_each_package_once(monkeypatch: pytest.MonkeyPatch, uid: int, prefix: list[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    update, install = mending_command([Need("ovmf"), Need("mtools"), Need("ovmf")])
    assert update == [*prefix, "apt-get", "update"]
    assert install == [*prefix, "apt-get", "install", "-y", "--no-install-recommends", "mtools", "ovmf"]
