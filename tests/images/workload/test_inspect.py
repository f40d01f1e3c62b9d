"""What is taken as a package, and what hostile bytes meet."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from images.workload import inspect
from images.workload.deb import Entry, archive
from images.workload.inspect import inspect_packages
from results.base.errors import UsageError

CONTROL = "Package: some-tool\nVersion: 1:2.0~rc1-3\nArchitecture: amd64\nDescription: a tool\n more of it\n"
SQUEEZE: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}
EPOCH = 1_700_000_000


def package(control: str = CONTROL, data: tuple[Entry, ...] = (Entry("usr/bin/tool", b"\x7fELF", 0o755),)) -> bytes:
    return archive([Entry("control", control.encode(), 0o644)], data, EPOCH)


def ar(*members: tuple[str, bytes]) -> bytes:
    parts = [b"!<arch>\n"]
    for name, content in members:
        parts.append(f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode())
        parts.append(content + b"\n" * (len(content) % 2))
    return b"".join(parts)


def tar(*headers: tarfile.TarInfo, content: bytes = b"") -> bytes:
    room = io.BytesIO()
    with tarfile.open(fileobj=room, mode="w", format=tarfile.GNU_FORMAT) as file:
        for header in headers:
            file.addfile(header, io.BytesIO(content))
    return room.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.linkname, header.size = kind, link, size
    return header


def control_tar(text: str = CONTROL) -> bytes:
    return tar(member("./control", size=len(text)), content=text.encode())


def with_data(data: bytes, name: str = "data.tar") -> bytes:
    return ar(("debian-binary", b"2.0\n"), ("control.tar", control_tar()), (name, data))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "tool.deb"


def refusal(place: Path, content: bytes) -> str:
    place.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        inspect_packages([place])
    assert str(place) in caught.value.what
    assert caught.value.hint
    return caught.value.what


def test_a_good_package_is_described(place: Path) -> None:
    place.write_bytes(package())
    (found,) = inspect_packages([str(place)])
    assert (found.name, found.version, found.architecture) == ("some-tool", "1:2.0~rc1-3", "amd64")
    assert found.path == place
    assert found.size == place.stat().st_size
    assert len(found.sha256) == 64


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
def test_every_compression_of_debian_is_read(place: Path, ending: str) -> None:
    plain = tar(member("./usr/" + "x" * 300, size=400_000), content=bytes(400_000))
    place.write_bytes(with_data(SQUEEZE[ending](plain), "data.tar" + ending))
    assert inspect_packages([place])


def test_no_package_at_all() -> None:
    with pytest.raises(UsageError, match="no package given"):
        inspect_packages([])


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        inspect_packages([tmp_path / "none.deb"])
    with pytest.raises(UsageError, match="is not a file"):
        inspect_packages([tmp_path])
    with pytest.raises(UsageError, match="cannot be read"):
        inspect_packages([tmp_path / ("n" * 300)])


def test_two_of_one_name(tmp_path: Path) -> None:
    paths = [tmp_path / "one.deb", tmp_path / "two.deb"]
    for path in paths:
        path.write_bytes(package())
    with pytest.raises(UsageError, match=r"some-tool, and so is .*one\.deb"):
        inspect_packages(paths)


def test_too_large(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "PACKAGE_MOST", 100)
    assert "at most" in refusal(place, package())


def test_a_bomb_is_not_unpacked(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "UNPACKED_MOST", 1 << 20)
    bomb = gzip.compress(tar(member("./zeros", size=8 << 20), content=bytes(8 << 20)))
    assert "larger than 1 MiB when unpacked" in refusal(place, with_data(bomb, "data.tar.gz"))


def test_too_many_members(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspect, "MEMBERS_MOST", 10)
    assert "more than 10 members" in refusal(place, with_data(tar(*(member(f"./{n}") for n in range(11)))))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no Debian package"),
        (b"#!/bin/sh\nrm -rf /\n", "no Debian package"),
        (b"!<arch>\n", "its parts are"),
        (package()[:90], "damaged archive"),
        (package()[:-400], "cut off"),
        (ar(("debian-binary", b"3.0\n"), ("control.tar", b""), ("data.tar", b"")), "format other than 2.0"),
        (ar(("debian-binary", b"2.0\n"), ("data.tar", b""), ("control.tar", b"")), "its parts are"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar", b""), ("evil", b"")), "its parts are"),
        (ar(*[("debian-binary", b"2.0\n")] * 4), "more than three parts"),
        (with_data(b"", "data.tar.zst"), "compressed in a way"),
        (with_data(b"x" * 1024), "damaged"),
        (with_data(b"no gzip", "data.tar.gz"), "damaged"),
        (with_data(b"this is no xz file at all", "data.tar.xz"), "damaged"),
        (with_data(tar()[:512][:100]), "cut off"),
        (ar(("debian-binary", b"2.0\n"), ("control.tar", tar()), ("data.tar", tar())), "no control file"),
    ],
)
def test_what_is_no_package(place: Path, content: bytes, why: str) -> None:
    assert why in refusal(place, content)


@pytest.mark.parametrize(
    ("control", "why"),
    [
        ("", "no field"),
        ("Package: x\x00y\nVersion: 1\nArchitecture: all\n", "no sane Package"),
        ("Package: ../../etc\nVersion: 1\nArchitecture: all\n", "no sane Package"),
        ("Package: tool\nVersion: $(id)\nArchitecture: all\n", "no sane Version"),
        ("Package: tool\nVersion: 1\nArchitecture: arm64\n", "architecture 'arm64'"),
        ("Package: tool\nVersion: 1\n", "architecture ''"),
        ("Package: tool\nPackage: other\nVersion: 1\nArchitecture: all\n", "no field of its own"),
        ("just words\n", "no field of its own"),
    ],
)
def test_control_fields(place: Path, control: str, why: str) -> None:
    assert why in refusal(place, package(control))


def test_control_that_is_no_text(place: Path) -> None:
    raw = archive([Entry("control", b"Package: \xff\xfe\n", 0o644)], [], EPOCH)
    assert "not UTF-8" in refusal(place, raw)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ([member("/etc/shadow")], "leads out"),
        ([member("./../etc/shadow")], "leads out"),
        ([member("./usr/../../etc/shadow")], "leads out"),
        ([member("../" + "x/" * 120 + "y")], "leads out"),
        ([member("./x", tarfile.LNKTYPE, "../../etc/shadow")], "hard link that leads out"),
        ([member("./dev/sda", tarfile.BLKTYPE)], "neither file, folder nor link"),
        ([member("./dev/kmem", tarfile.CHRTYPE)], "neither file, folder nor link"),
        ([member("./pipe", tarfile.FIFOTYPE)], "neither file, folder nor link"),
        ([member("./up", tarfile.SYMTYPE, "/etc"), member("./up/shadow")], "behind a link"),
        ([member("./up", tarfile.SYMTYPE, "/etc"), member("./x", tarfile.LNKTYPE, "./up/shadow")], "behind a link"),
    ],
)
def test_members_that_no_package_should_hold(place: Path, headers: list[tarfile.TarInfo], why: str) -> None:
    assert why in refusal(place, with_data(tar(*headers)))


def test_links_and_folders_are_fine(place: Path) -> None:
    headers = [
        member("./", tarfile.DIRTYPE),
        member("./a"),
        member("./b", tarfile.LNKTYPE, "./a"),
        member("./c", tarfile.SYMTYPE, "/etc/x"),
    ]
    place.write_bytes(with_data(tar(*headers)))
    assert inspect_packages([place])


HOSTILE = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def only_a_usage_error(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    caught = None
    try:
        inspect_packages([place])
    except UsageError as error:
        caught = error
    assert caught is None or (str(place) in caught.what and "\n" not in caught.what)


@HOSTILE
@given(content=st.binary(max_size=4000))
def test_any_bytes(place: Path, content: bytes) -> None:
    only_a_usage_error(place, content)
    only_a_usage_error(place, b"!<arch>\n" + content)


@HOSTILE
@given(data=st.data())
def test_a_damaged_package(place: Path, data: st.DataObject) -> None:
    content = bytearray(package())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    only_a_usage_error(place, bytes(content[: data.draw(st.integers(0, len(content)))]))


@HOSTILE
@given(
    data=st.data(), ending=st.sampled_from(["", ".gz", ".xz"]), name=st.text(max_size=300), kind=st.binary(max_size=1)
)
def test_a_hostile_tar(place: Path, data: st.DataObject, ending: str, name: str, kind: bytes) -> None:
    header = member("x", size=data.draw(st.integers(0, 4000)))
    raw = bytearray(tar(header, content=bytes(4000)))
    raw[0:100] = name.encode()[:100].ljust(100, b"\0")
    raw[156:157] = kind or b"L"
    raw[148:156] = b"%06o\0 " % (sum(raw[:148]) + sum(raw[156:512]) + 8 * 32)
    for _ in range(data.draw(st.integers(0, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    only_a_usage_error(place, with_data(SQUEEZE[ending](bytes(raw)), "data.tar" + ending))
