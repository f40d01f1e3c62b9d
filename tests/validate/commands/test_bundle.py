"""The package: the same bytes for the same sources, everything in it, the judge as it is here."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from validate.commands.bundle import EPOCH, contents, packages
from validate.plan import Plan, load_plan

HOME = "usr/lib/dots-family-hardening"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan()


@pytest.fixture(scope="module")
def made(plan: Plan) -> dict[str, bytes]:
    return packages(plan, EPOCH)


def data(name: str, content: bytes) -> bytes:
    """The files' archive: the tar itself, or the last member of the ar."""
    return content if name.endswith(".tar.gz") else content[content.index(b"`\n", content.index(b"data.tar.gz")) + 2 :]


def test_the_same_sources_give_the_same_bytes(plan: Plan, made: dict[str, bytes]) -> None:
    assert packages(plan, EPOCH) == made


def test_both_hold_the_same_files_of_root_at_one_time(plan: Plan, made: dict[str, bytes]) -> None:
    wanted = {path: (len(content), mode) for path, (content, mode) in contents(plan).items()}
    for name, content in made.items():
        with tarfile.open(fileobj=io.BytesIO(data(name, content))) as archive:
            members = archive.getmembers()
        assert {one.name.removeprefix("./"): (one.size, one.mode) for one in members if one.isfile()} == wanted
        assert {(one.uid, one.gid, one.uname, one.mtime) for one in members} == {(0, 0, "root", EPOCH)}


def test_the_judge_is_the_pipelines_own(plan: Plan) -> None:
    inside = contents(plan)
    for name in ("judge", "operations", "paths"):
        source = Path(__file__).parents[3] / "validate/audit" / f"{name}.py"
        assert inside[f"{HOME}/lib/validate/audit/{name}.py"][0] == source.read_bytes()
    assert len(json.loads(inside[f"{HOME}/checks.json"][0])) == len(plan.checks)


@pytest.mark.parametrize("script", ["security-audit.py", "harden-production-security.sh"])
def test_the_tools_run_without_this_project(made: dict[str, bytes], tmp_path: Path, script: str) -> None:
    content = next(content for name, content in made.items() if name.endswith(".tar.gz"))
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(tmp_path)  # noqa: S202 - our own archive; Debian 12 has no `filter` yet
    argv = [sys.executable, "-I", str(tmp_path / HOME / script), "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd="/", env={"PATH": os.defpath}, check=False)
    assert done.returncode == 0, done.stderr
