"""Real builds: they want mmdebstrap, a mirror and a minute or two."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from images import inspect_disk
from images.build import BuiltImage, build_target
from images.cache import MAKING, Cache
from images.ext4 import folders
from images.target import FOLDER, load_target
from images.workload.deb import Entry, archive
from results.base.errors import InfrastructureError, UsageError
from results.base.events import Event, Events
from results.records import Variant

pytestmark = pytest.mark.build
ROOT = Path(__file__).resolve().parents[2]
BOTH: tuple[Variant, ...] = ("baseline", "hardened")


@dataclass(frozen=True)
class File:
    path: str
    content: bytes
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    controls: tuple[str, ...] = ("test.control",)


@dataclass(frozen=True)
class Tree:
    files: tuple[File, ...]
    kernel_parameters: tuple[str, ...] = ("audit=1",)
    digest: str = ""


@dataclass(frozen=True)
class Packages:
    paths: tuple[Path, ...]
    name: str = "tiny 1.0"


TREE = Tree(
    (
        File("/etc/sysctl.d/90-test.conf", b"kernel.kptr_restrict = 2\n"),
        File("/etc/audit/rules.d/test.rules", b"-w /etc/passwd -k test\n", 0o640, "root", "adm"),
        File("/etc/ssh/sshd_config", b"# replaced\n", 0o600),
    )
)


def tiny(folder: Path, postinst: str = "exit 0", depends: str = "libc6") -> Path:
    control = f"Package: tiny\nVersion: 1.0\nArchitecture: all\nMaintainer: T <t@t.example>\nDepends: {depends}\n"
    control += "Description: tiny\n"
    content = archive(
        [Entry("control", control.encode(), 0o644), Entry("postinst", f"#!/bin/sh\n{postinst}\n".encode(), 0o755)],
        [Entry("usr/share/tiny/file", b"tiny\n", 0o644)],
        1,
    )
    path = folder / "tiny_1.0_all.deb"
    path.write_bytes(content)
    return path


def build(cache: Path, deb: Path, tree: Tree = TREE, **more: bool) -> dict[Variant, BuiltImage]:
    target = load_target("debian-trixie")
    return build_target(
        target, tree=tree, workload=Packages((deb,)), variants=BOTH, cache=Cache(cache), events=Events(), **more
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    tiny(folder)
    return folder


@pytest.fixture(scope="module")
def built(folder: Path) -> dict[Variant, BuiltImage]:
    return build(folder / "cache", folder / "tiny_1.0_all.deb")


def test_two_builds_from_the_same_packages_are_identical(folder: Path, built: dict[Variant, BuiltImage]) -> None:
    again = build(folder / "second", folder / "tiny_1.0_all.deb")
    for variant in BOTH:
        assert again[variant].record.packages == built[variant].record.packages
        assert again[variant].record.sha256 == built[variant].record.sha256
        compared = subprocess.run(
            ["/usr/bin/cmp", again[variant].disk, built[variant].disk], check=False, capture_output=True
        )
        assert compared.stdout == b""


def test_the_image_holds_no_secret_and_no_identity(built: dict[Variant, BuiltImage]) -> None:
    for image in built.values():
        there = folders(image.disk, ["/etc", "/etc/ssh", "/root", "/root/.ssh", "/var/lib/dbus"], events=Events())
        assert not [name for name in there["/etc/ssh"] if name.startswith("ssh_host_")]
        assert not there.get("/root/.ssh", {}).get("authorized_keys")
        assert "machine-id" not in there.get("/var/lib/dbus", {})
        assert inspect_disk.read_file(image.disk, "/etc/machine-id", events=Events()) == b""
        shadow = inspect_disk.read_file(image.disk, "/etc/shadow", events=Events()) or b""
        passwords = [line.split(":")[1] for line in shadow.decode().splitlines()]
        assert passwords
        assert not [one for one in passwords if one.strip("*!")]


def test_the_image_holds_licences_and_no_manuals(built: dict[Variant, BuiltImage]) -> None:
    doc, settings = "/usr/share/doc", "/etc/dpkg/dpkg.cfg.d"
    empty = ["/usr/share/man", "/usr/share/locale"]
    asked = [*empty, doc, f"{doc}/libc6", f"{doc}/python3", settings]
    there = folders(built["baseline"].disk, asked, events=Events())
    assert [set(there.get(folder, {})) - {".", ".."} for folder in empty] == [set(), set()]
    assert set(there[f"{doc}/libc6"]) - {".", ".."} == {"copyright"}  # unpacked by mmdebstrap
    assert "python3" in there[doc]  # and this by dpkg
    assert "excluded-paths" in there[settings]  # later packages follow


def test_the_hardened_disk_has_the_tree_and_the_parameters(built: dict[Variant, BuiltImage]) -> None:
    record, disk = built["hardened"].record, built["hardened"].disk
    assert {file.path: (file.mode, file.group) for file in record.files} == {
        "/etc/sysctl.d/90-test.conf": ("0644", "root"),
        "/etc/audit/rules.d/test.rules": ("0640", "adm"),
        "/etc/ssh/sshd_config": ("0600", "root"),
    }
    for file in TREE.files:
        assert inspect_disk.read_file(disk, file.path, events=Events()) == file.content
    assert inspect_disk.command_line(disk, events=Events()) == record.kernel_command_line
    assert record.kernel_command_line == f"{built['baseline'].record.kernel_command_line} audit=1"
    assert record.packages == built["baseline"].record.packages


def test_nothing_to_do_takes_no_time_and_a_changed_control_little(
    folder: Path, built: dict[Variant, BuiltImage]
) -> None:
    started = time.monotonic()
    same = build(folder / "cache", folder / "tiny_1.0_all.deb")
    assert time.monotonic() - started < 1
    assert same == built
    started = time.monotonic()
    other = Tree((*TREE.files[1:], File("/etc/sysctl.d/90-test.conf", b"kernel.kptr_restrict = 1\n")))
    changed = build(folder / "cache", folder / "tiny_1.0_all.deb", other)
    assert time.monotonic() - started < 15
    assert changed["baseline"] == built["baseline"]
    assert changed["hardened"].record.sha256 != built["hardened"].record.sha256


def test_a_file_can_be_taken_out_of_a_copy(folder: Path, built: dict[Variant, BuiltImage]) -> None:
    copy = folder / "copy.raw"
    subprocess.run(["/bin/cp", "--sparse=always", built["hardened"].disk, copy], check=True)
    inspect_disk.remove_file(copy, "/etc/sysctl.d/90-test.conf", events=Events())
    assert inspect_disk.read_file(copy, "/etc/sysctl.d/90-test.conf", events=Events()) is None
    with pytest.raises(UsageError, match="90-test"):
        inspect_disk.remove_file(copy, "/etc/sysctl.d/90-test.conf", events=Events())
    copy.unlink()


def test_a_packages_script_sees_neither_host_nor_network(folder: Path, built: dict[Variant, BuiltImage]) -> None:
    secret = folder / "secret"
    secret.write_text("of the host")
    secret.chmod(0o644)
    script = f"""
(find / -xdev -name secret; ls /mnt /tmp; cat /proc/self/uid_map /proc/net/dev) >/usr/share/tiny/seen 2>&1
chroot /proc/1/root cat {secret} >>/usr/share/tiny/seen 2>/dev/null && echo escaped >>/usr/share/tiny/seen
exit 0"""
    (folder / "spy").mkdir()
    image = build(folder / "cache", tiny(folder / "spy", script))["baseline"]
    seen = (inspect_disk.read_file(image.disk, "/usr/share/tiny/seen", events=Events()) or b"").decode()
    assert seen
    assert "escaped" not in seen
    assert "of the host" not in seen
    assert re.search(r"^ +0 +[1-9][0-9]* +65536$", seen, re.MULTILINE), seen  # root in there is nobody out here
    assert "eth0" not in seen


@pytest.mark.parametrize(
    ("postinst", "depends", "what"), [("exit 3", "libc6", "scripts"), ("exit 0", "no-such-package-here", "together")]
)
def test_a_bad_package_is_a_usage_error(
    folder: Path, built: dict[Variant, BuiltImage], tmp_path: Path, postinst: str, depends: str, what: str
) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        build(folder / "cache", tiny(tmp_path, postinst, depends))
    assert "tiny" in caught.value.evidence, caught.value
    assert not list((folder / "cache").glob(f"{MAKING}*"))


def test_a_mirror_that_does_not_answer(tmp_path: Path) -> None:
    text = (FOLDER / "debian-trixie.yaml").read_text().replace("name: debian-trixie", "name: silent")
    (tmp_path / "silent.yaml").write_text(text + "mirror: {archive: 'http://127.0.0.1:9/debian'}\n")
    target = load_target(str(tmp_path / "silent.yaml"))
    deb = tiny(tmp_path)
    with pytest.raises(InfrastructureError, match="mirror does not answer") as caught:
        build_target(
            target,
            tree=TREE,
            workload=Packages((deb,)),
            variants=BOTH,
            cache=Cache(tmp_path / "cache"),
            events=Events(),
        )
    assert "127.0.0.1:9" in caught.value.evidence
    assert caught.value.exit_code == 3
    assert not list((tmp_path / "cache").glob(f"{MAKING}*"))
    assert not list((tmp_path / "cache" / "base").glob("*"))


def processes_naming(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            mounts = (path / "mountinfo").read_text()
        except OSError:
            continue
        if text in line or text in mounts:
            found.append(line)
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_build_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    cache = tmp_path / f"cache-{os.getpid()}-{number}"
    deb = tiny(tmp_path)
    program = textwrap.dedent(f"""
        import signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs us in the background has it ignored
        sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]
        from pathlib import Path
        import test_build
        test_build.build(Path({str(cache)!r}), Path({str(deb)!r}))
    """)
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not any("dpkg" in line or "apt" in line for line in processes_naming(cache.name)):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.2)
    process.send_signal(number)
    process.wait(30)
    until = time.monotonic() + 5
    while (left := processes_naming(cache.name)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not left
    assert not list(cache.glob("base/*"))
    assert cache.name not in Path("/proc/self/mountinfo").read_text()
    with Cache(cache).temporary(Events()) as only:  # sweeps what SIGKILL gave nobody the time to remove
        assert list(cache.glob(f"{MAKING}*")) == [only]


def test_a_full_disk_is_one_clear_error(folder: Path, built: dict[Variant, BuiltImage], tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the kernel answers alike at the same places."""
    program = textwrap.dedent(f"""
        import resource, signal, sys
        sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]
        from pathlib import Path
        import test_build
        from results.base.errors import InfrastructureError
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100 << 20, 100 << 20))
        try:
            test_build.build(Path({str(folder / "cache")!r}), Path({str(tiny(tmp_path, "exit 0 # other"))!r}))
        except InfrastructureError as error:
            sys.exit(error.what)
    """)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "disk is full" in done.stderr or "no room" in done.stderr, done.stderr
    assert not list((folder / "cache").glob(f"{MAKING}*"))


def test_refresh_asks_the_mirror_again(folder: Path, built: dict[Variant, BuiltImage]) -> None:
    seen: list[Event] = []
    again = build_target(
        load_target("debian-trixie"),
        tree=TREE,
        workload=Packages((folder / "tiny_1.0_all.deb",)),
        variants=BOTH,
        cache=Cache(folder / "cache"),
        events=Events(seen.append),
        refresh=True,
    )
    assert [event.text for event in seen if event.kind == "note" and "the mirror has" in event.text]
    assert "operating system of debian-trixie" in [event.text for event in seen if event.kind == "step-end"]
    if any("same packages" in event.text for event in seen):  # a mirror may change while tests run
        assert {v: i.record.sha256 for v, i in again.items()} == {v: i.record.sha256 for v, i in built.items()}


def test_progress_is_told(folder: Path, built: dict[Variant, BuiltImage]) -> None:
    seen: list[Event] = []
    target = load_target("debian-trixie")
    tree = Tree((File("/etc/other.conf", b"x\n"),))
    build_target(
        target,
        tree=tree,
        workload=Packages((folder / "tiny_1.0_all.deb",)),
        variants=("hardened",),
        cache=Cache(folder / "cache"),
        events=Events(seen.append),
    )
    assert [event.text for event in seen if event.kind == "step-end"] == ["debian-trixie hardened"]
    assert all(event.text for event in seen if event.kind == "command")
