"""The cheap stand-in for an image's digest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from results.base.errors import InfrastructureError
from validate.machine.machine import _identity


def test_a_written_or_replaced_image_is_another(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(b"one")
    first = _identity(image)
    assert _identity(image) == first
    os.utime(image, ns=(1, 1))
    assert _identity(image) != first
    second = _identity(image)
    (tmp_path / "new").write_bytes(b"one")
    os.utime(tmp_path / "new", ns=(1, 1))
    (tmp_path / "new").replace(image)
    assert _identity(image) != second


def test_a_missing_image_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="No such file") as caught:
        _identity(tmp_path / "none")
    assert "build" in caught.value.hint
