"""The reference workload's package: what is in it, and that it is the same each time."""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from pathlib import Path

import pytest
import yaml

from images.workload.deb import Entry, archive, tarball
from images.workload.inspect import inspect_packages
from images.workload.package import (
    PROGRAMS,
    REFERENCE,
    compiler_argv,
    control_entries,
    data_entries,
    reference_inputs,
    reference_package,
)
from images.workload.sysroot import sysroot, sysroot_key
from results.base.errors import InfrastructureError
from results.base.events import Events
from results.base.process import run

PRODUCT = yaml.safe_load((Path(__file__).parents[3] / "harden" / "product.yaml").read_text(encoding="utf-8"))


def test_tar_is_sorted_owned_by_root_and_dated() -> None:
    raw = tarball([Entry("b/c", b"x", 0o755), Entry("a", b"", 0o644)], 1_700_000_001)
    with tarfile.open(fileobj=io.BytesIO(raw)) as file:
        members = file.getmembers()
    assert [member.name for member in members] == [".", "./a", "./b", "./b/c"]
    assert {(member.uid, member.gid, member.uname, member.mtime) for member in members} == {
        (0, 0, "root", 1_700_000_001)
    }
    assert members[3].mode == 0o755


def test_archive_is_the_same_each_time_and_readable(tmp_path: Path) -> None:
    control = [Entry("control", b"Package: xy\nVersion: 1\nArchitecture: all\n", 0o644)]
    first = archive(control, [Entry("usr/x", b"odd", 0o644)], 1_700_000_000)
    assert first == archive(control, [Entry("usr/x", b"odd", 0o644)], 1_700_000_000)
    (tmp_path / "x.deb").write_bytes(first)
    assert inspect_packages([tmp_path / "x.deb"])[0].name == "xy"


def test_every_source_file_belongs_to_a_program() -> None:
    named = {file for files, _ in PROGRAMS.values() for file in files}
    present = {str(path.relative_to(REFERENCE / "src")) for path in (REFERENCE / "src").rglob("*.c")}
    assert named == present


def test_package_fits_the_product_description() -> None:
    paths = {"/" + entry.path for entry in data_entries()} | {f"/usr/bin/{name}" for name in PROGRAMS}
    wanted = [*PRODUCT["binaries"].values(), *PRODUCT["configuration"].values(), PRODUCT["filter"]["block_list"]]
    wanted += [f"/usr/lib/systemd/system/{unit['name']}" for unit in PRODUCT["units"].values()]
    wanted += [PRODUCT["paths"][key] for key in ("state", "logs", "bus_policy", "bus_activation")]
    assert set(wanted) <= paths


def test_every_method_of_the_product_is_exported_with_its_signature() -> None:
    source = (REFERENCE / "src" / "bus.c").read_text(encoding="utf-8")
    for methods in PRODUCT["bus"]["methods"].values():
        for name, method in methods.items():
            line = source.split(f'METHOD("{name}", ', 1)[1].split(", ")
            assert line[0] == f'"{method.get("arguments", "")}"'
            returned = f'"{method.get("returns", "s")}"'
            assert any(
                part.strip() == returned
                for part in source.split(f'METHOD("{name}", ', 1)[1].split("METHOD(")[0].split(",")
            )


def test_inputs_name_every_file_and_follow_its_content() -> None:
    inputs = reference_inputs()
    assert "reference/src/ebpf.c" in inputs
    assert "package.py" in inputs
    assert inputs["reference/src/ebpf.c"] == hashlib.sha256((REFERENCE / "src" / "ebpf.c").read_bytes()).hexdigest()


def test_sysroot_key_follows_suite_and_sources() -> None:
    keys = {
        sysroot_key(suite, [source]) for suite in ("trixie", "bookworm") for source in ("deb a trixie main", "deb b")
    }
    assert len(keys) == 4


def test_compiler_sees_only_the_sysroot() -> None:
    argv = compiler_argv("dots-family-daemon", Path("/s"), Path("/o"))
    assert "--sysroot=/s" in argv
    assert "-B/s/usr/lib/x86_64-linux-gnu" in argv
    assert {"-Werror", "-pie", "-fstack-protector-strong"} <= set(argv)


def test_control_names_the_c_library_it_was_linked_with(tmp_path: Path) -> None:
    include = tmp_path / "usr" / "include"
    include.mkdir(parents=True)
    (include / "features.h").write_text("#define\t__GLIBC__\t2\n#define\t__GLIBC_MINOR__\t41\n", encoding="utf-8")
    entries = {entry.path: entry for entry in control_entries(tmp_path)}
    assert b"Depends: libc6 (>= 2.41), libsystemd0" in (entries["control"].content or b"")
    assert entries["postinst"].mode == 0o755
    assert entries["conffiles"].mode == 0o644


def test_conffiles_are_all_of_etc(tmp_path: Path) -> None:
    listed = (REFERENCE / "package" / "control" / "conffiles").read_text(encoding="utf-8").split()
    assert sorted(listed) == sorted("/" + entry.path for entry in data_entries() if entry.path.startswith("etc/"))


def test_a_mirror_that_does_not_answer_leaves_no_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    fake = tools / "mmdebstrap"
    fake.write_text("#!/bin/sh\necho 'E: no mirror' >&2\nexit 25\n", encoding="utf-8")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    with pytest.raises(InfrastructureError, match="exit status 25") as caught:
        sysroot("trixie", ["deb http://mirror.invalid trixie main"], cache=tmp_path / "cache", events=Events())
    assert "no mirror" in caught.value.evidence
    assert list((tmp_path / "cache").iterdir()) == []


def host_mirror() -> str:
    """The mirror that this host's own apt uses."""
    files = [path for path in Path("/etc/apt").rglob("*") if path.suffix in (".list", ".sources")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    found = re.search(r"\bhttps?://[^\s\]]+/debian/?(?=\s)", text)
    assert found, "apt on this host knows no Debian mirror"
    return found[0]


@pytest.mark.build
@pytest.mark.parametrize("suite", ["trixie", "bookworm"])
def test_two_builds_are_identical(tmp_path: Path, suite: str) -> None:
    sources = [f"deb {host_mirror()} {suite} main"]
    first, second = (reference_package(suite, sources, cache=tmp_path / n, events=Events()) for n in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()
    assert inspect_packages([first])[0].name == "dots-family"
    again = reference_package(suite, sources, cache=tmp_path / "one", events=Events())
    assert again == first
    assert not [path for path in (tmp_path / "one").iterdir() if path.name.startswith(".")]
    described = run(["dpkg-deb", "--contents", str(first)], events=Events()).text
    assert "root/root" in described
    assert "./usr/bin/dots-family-daemon" in described
