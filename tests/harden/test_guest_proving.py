"""What is proved before it goes live: all that is rendered passes, and what this machine cannot take does not."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from harden.bundle import bundle
from harden.guest import proving
from harden.guest.manifest import Entry, Manifest, parse
from harden.product import Product
from harden.render import Tree

BUS, AUDIT = "/usr/share/dbus-1/system.d/x.conf", "/etc/audit/rules.d/x.rules"


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch, product: Product) -> None:
    """A machine that has the product's accounts and groups, and whose audit knows few system calls."""
    known = {"root", *product.groups.values(), *(one.user for one in product.accounts.values())}

    def lookup(name: str) -> None:
        if name not in known:
            raise KeyError(name)

    for name in ("getpwnam", "getgrnam"):
        monkeypatch.setattr(proving, name, lookup)
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "ausyscall" else None)
    monkeypatch.setattr(proving, "run", lambda *argv, check=True: subprocess.CompletedProcess(argv, 0, dumped(check)))


def dumped(_check: object) -> str:
    """As `ausyscall --dump` says it, for the calls that the controls name."""
    return "Using x86_64 syscall table:\n" + "".join(f"{number}\t{name}\n" for number, name in enumerate(CALLS))


CALLS = ("open",)


def with_file(folder: Path, path: str, content: str) -> tuple[Manifest, Entry]:
    entry = Entry(Path(path), "0644", "root", "root", hashlib.sha256(content.encode()).hexdigest())
    source = folder / "files" / path[1:]
    source.parent.mkdir(parents=True)
    source.write_text(content, encoding="utf-8")
    return Manifest(folder, (), (), (), (), {}, (), Path("/nothing"), (entry,)), entry


def test_everything_that_is_rendered_is_understood(
    tree: Tree, product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(fileobj=io.BytesIO(bundle(tree, product))) as archive:
        archive.extractall(tmp_path)  # noqa: S202 - our own archive; Debian 12 has no `filter` yet
    manifest = parse(json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8")), tmp_path)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert [wrong for entry in manifest.files for wrong in proving.of_file(manifest, entry)] == []
    assert [entry for entry in manifest.files if str(entry.path) == BUS.replace("x.conf", f"{product.bus.name}.conf")]


WRONG = [
    (BUS, "<busconfig>", "no element found"),
    (BUS, "<config/>", "<config> is no bus policy"),
    (BUS, "<busconfig><include>/etc/x</include></busconfig>", "knows no <include>"),
    (BUS, '<busconfig><policy users="root"/></busconfig>', "knows no users in <policy>"),
    (BUS, '<busconfig><policy user="root"><allow sned_type="x"/></policy></busconfig>', "knows no sned_type"),
    (BUS, '<busconfig><policy group="nobody-knows"/></busconfig>', "there is no group nobody-knows"),
    (AUDIT, "-w /etc/x -p rq -k key\n", "no rule that the audit understands"),
    (AUDIT, "-a always,exit -F arch=b64 -S open\n", "no rule that the audit understands"),
    (AUDIT, "-a always,exit -F arch=b64 -S open,opne -F key=x\n", "no system call opne"),
]


@pytest.mark.parametrize(("path", "content", "complaint"), WRONG, ids=range(len(WRONG)))
def test_what_a_machine_cannot_take_is_told(tmp_path: Path, path: str, content: str, complaint: str) -> None:
    manifest, entry = with_file(tmp_path, path, content)
    assert complaint in "; ".join(proving.of_file(manifest, entry))


def test_what_systemd_says_of_a_drop_in_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fragment = tmp_path / "x.service"
    fragment.write_text("[Service]\nExecStart=/bin/true\n", encoding="ascii")
    manifest, _entry = with_file(tmp_path, "/etc/systemd/system/x.service.d/50.conf", "[Service]\nProtectHme=yes\n")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(tempfile, "TemporaryDirectory", in_folder(tmp_path / "units"))

    def run(*argv: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        del check
        if argv[0] == "systemctl":
            return subprocess.CompletedProcess(argv, 0, f"{fragment}\n")
        assert (tmp_path / "units/x.service").is_file()
        place = f"{tmp_path}/units/x.service.d/50.conf"
        said = f"{place}:2: Unknown key 'ProtectHme'\n/lib/other.service: not ours\n{place}: /x is not executable\n"
        return subprocess.CompletedProcess(argv, 1, said)

    monkeypatch.setattr(proving, "run", run)
    told = list(proving.of_units(replace(manifest, units=("x.service",))))
    assert told == ["x.service.d/50.conf:2: Unknown key 'ProtectHme'"]


class in_folder:  # noqa: N801 - stands for a function
    """Like `TemporaryDirectory`, in a folder that is known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, **_words: object) -> in_folder:
        return self

    def __enter__(self) -> str:
        self.folder.mkdir()
        return str(self.folder)

    def __exit__(self, *_words: object) -> None:
        pass
