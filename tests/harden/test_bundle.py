from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from harden.bundle import SCRIPT, bundle, manifest
from harden.guest.manifest import parse, with_parameters
from harden.guest.system import RefusedError
from harden.product import Product
from harden.render import Tree


@pytest.fixture
def unpacked(tree: Tree, product: Product, tmp_path: Path) -> Path:
    with tarfile.open(fileobj=io.BytesIO(bundle(tree, product))) as archive:
        archive.extractall(tmp_path)  # noqa: S202 - our own archive; Debian 12 has no `filter` yet
    return tmp_path


def test_the_same_tree_gives_the_same_bytes(tree: Tree, product: Product) -> None:
    assert bundle(tree, product) == bundle(tree, product)


def test_everything_is_in_it(tree: Tree, unpacked: Path) -> None:
    manifest = json.loads((unpacked / "manifest.json").read_text(encoding="utf-8"))
    assert [entry["path"] for entry in manifest["files"]] == [file.path for file in tree.files]
    for entry in manifest["files"]:
        content = (unpacked / "files" / entry["path"].lstrip("/")).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
    tuning = tree.by_path["/etc/sysctl.d/99-dots-family-tuning.conf"]
    assert (unpacked / "production-tuning.conf").read_bytes() == tuning.content


@pytest.mark.parametrize("command", ["python3 -I", ""])
def test_the_script_runs_without_this_project(unpacked: Path, command: str) -> None:
    argv = [*([sys.executable, "-I"] if command else []), str(unpacked / SCRIPT), "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd="/", env={"PATH": os.defpath}, check=False)
    assert done.returncode == 0, done.stderr
    assert "revert" in done.stdout


def test_wrong_words_touch_nothing(unpacked: Path) -> None:
    argv = [sys.executable, "-I", str(unpacked / SCRIPT), "obliterate"]
    assert subprocess.run(argv, capture_output=True, check=False).returncode == 2


def test_the_tuning_is_a_step_of_its_own(unpacked: Path) -> None:
    manifest = parse(json.loads((unpacked / "manifest.json").read_text(encoding="utf-8")), unpacked)
    assert manifest.tuning not in [entry.path for entry in manifest.hardening]
    assert len(manifest.files) == len(manifest.hardening) + 1
    assert "vm.swappiness" not in manifest.sysctl_names()
    assert "kernel.kptr_restrict" in manifest.sysctl_names()


def test_a_damaged_bundle_is_refused(unpacked: Path) -> None:
    manifest = parse(json.loads((unpacked / "manifest.json").read_text(encoding="utf-8")), unpacked)
    entry = manifest.hardening[0]
    manifest.source(entry).write_text("other", encoding="ascii")
    with pytest.raises(RefusedError, match="damaged"):
        manifest.content(entry)


def test_a_manifest_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="another version"):
        parse({"schema": 2}, tmp_path)


ENTRY = "title x\noptions root=LABEL=r rw console=ttyS0\n"


def test_parameters_come_behind_and_once() -> None:
    once = with_parameters(ENTRY, ("audit=1", "slab_nomerge"))
    assert once == "title x\noptions root=LABEL=r rw console=ttyS0 audit=1 slab_nomerge\n"
    assert with_parameters(once, ("audit=1", "slab_nomerge")) == once


def test_a_contrary_parameter_is_replaced() -> None:
    assert with_parameters("options audit=0 rw\n", ("audit=1",)) == "options rw audit=1\n"


def test_leaving_the_packet_filter_out_leaves_its_files_out(tree: Tree, product: Product) -> None:
    whole = parse(manifest(tree, product), Path("/nowhere"))
    gone = {str(one.path) for one in whole.files} - {str(one.path) for one in whole.less(("network",)).files}
    assert {path.rpartition("/")[2] for path in gone if "egress" in path} == {
        "egress.nft",
        "egress.py",
        "dots-family-egress.path",
        "dots-family-egress.service",
    }
    assert {path.split("/")[4] for path in gone if "egress" not in path} == {
        "multi-user.target.d",
        "nftables.service.d",
    }
