from __future__ import annotations

import io
import tarfile
from pathlib import Path

from images.tool import pick


def test_only_files_of_the_chosen_folders_are_taken(tmp_path: Path) -> None:
    members = {
        "./usr/share/lynis/include/functions": (tarfile.REGTYPE, 0o644),
        "./usr/sbin/lynis": (tarfile.REGTYPE, 0o4755),
        "./usr/share/lynis": (tarfile.DIRTYPE, 0o777),
        "./usr/share/lynisother": (tarfile.REGTYPE, 0o644),
        "./usr/share/lynis/link": (tarfile.SYMTYPE, 0o777),
        "./usr/share/lynis/../../../etc/shadow": (tarfile.REGTYPE, 0o644),
        "./etc/passwd": (tarfile.REGTYPE, 0o644),
    }
    with tarfile.open(tmp_path / "all.tar", "w") as tar:
        for name, (kind, mode) in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.linkname = kind, mode, 1000, "/etc/shadow"
            info.size = 2 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"hi") if info.size else None)
    assert pick(tmp_path / "all.tar", tmp_path / "some.tar.gz", ("/usr/sbin/lynis", "usr/share/lynis")) == 2
    with tarfile.open(tmp_path / "some.tar.gz") as tar:
        found = {one.name: (one.mode, one.uid) for one in tar}
    assert found == {
        "usr/share/lynis/include/functions": (0o644, 0),
        "usr/sbin/lynis": (0o755, 0),
        "usr/share/lynis": (0o755, 0),
    }
