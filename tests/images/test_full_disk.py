"""A real build on a file system that is really full; as root, since the test mounts one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.build,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system for the build wants root"),
]
ROOT = Path(__file__).resolve().parents[2]
SMALL = "30m"
"""Less than the packages of the operating system take, so that it is full in the middle of the first step."""


def build_on_a_small_disk(folder: Path, *, room: str) -> subprocess.CompletedProcess[str]:
    """Build with a cache on a tmpfs that only this process sees; `room` is a line that may change what is asked for."""
    (folder / "cache").mkdir()
    program = textwrap.dedent(f"""
        import sys
        sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]
        from pathlib import Path
        import test_build
        from images import rootfs
        from results.base.errors import InfrastructureError
        {room}
        cache = Path({str(folder / "cache")!r})
        try:
            test_build.build(cache, test_build.tiny(Path({str(folder)!r})))
        except InfrastructureError as error:
            print(error.what, error.hint, sep="\\n")
            print("left:", *sorted(str(one.relative_to(cache)) for one in cache.glob("*/*") if one.is_dir()))
    """)
    mount = f'mount -t tmpfs -o size={SMALL} small "$1" && shift && exec "$@"'
    argv = ["unshare", "--mount", "sh", "-c", mount, "sh", str(folder / "cache"), sys.executable, "-c", program]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)


def test_too_little_room_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    done = build_on_a_small_disk(tmp_path, room="")
    assert "MiB free, but making the base takes about" in done.stdout, done
    assert "free some room" in done.stdout


def test_a_disk_that_fills_up_in_mid_build_is_one_clear_error(tmp_path: Path) -> None:
    done = build_on_a_small_disk(tmp_path, room="rootfs.BASE_ROOM = 0")
    assert "the disk is full" in done.stdout, done
    assert "left:" in done.stdout
    assert "base/" not in done.stdout.split("left:")[1]  # no broken entry
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
