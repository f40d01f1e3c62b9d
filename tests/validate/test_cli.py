"""The command line from the outside: exit codes, and errors that say what, where and what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def validate(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "validate", *words], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )


def says(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in done.stderr, done.stderr


def test_matrix_is_one_line_of_json() -> None:
    done = validate("matrix")
    assert done.returncode == 0
    jobs = json.loads(done.stdout)["include"]
    assert {job["target"] for job in jobs} >= {"debian-trixie", "debian-bookworm"}
    assert all(job["workload"] == "reference" for job in jobs)


def test_unknown_target_names_the_known_ones() -> None:
    done = validate("build", "--target", "debian-woody")
    assert done.returncode == 2
    says(done, "debian-woody", "debian-trixie")


def test_unknown_word_and_unknown_command() -> None:
    done = validate("build", "--tarket", "x")
    assert done.returncode == 2
    says(done, "--tarket", "--help")
    assert validate("bulid").returncode == 2


def test_workload_that_is_no_file_or_no_package(tmp_path: Path) -> None:
    done = validate("build", "--workload", str(tmp_path / "none.deb"))
    assert done.returncode == 2
    says(done, "none.deb")
    bad = tmp_path / "bad.deb"
    bad.write_bytes(b"!<arch>\nthis is not a package")
    done = validate("build", "--workload", str(bad))
    assert done.returncode == 2
    says(done, "bad.deb")


def test_audit_needs_a_machine_or_facts() -> None:
    done = validate("audit")
    assert done.returncode == 2
    says(done, "--host", "--facts")


@pytest.mark.parametrize("words", ["nobody", "root@", "root@x:port", "root@x:70000"])
def test_audit_host_is_checked_before_anything_is_tried(words: str) -> None:
    done = validate("audit", "--host", words)
    assert done.returncode == 2
    says(done, words, "user@host[:port]")


def test_facts_that_are_missing_broken_or_newer(tmp_path: Path) -> None:
    done = validate("audit", "--facts", str(tmp_path / "none.json"))
    assert done.returncode == 2
    says(done, "none.json")
    path = tmp_path / "facts.json"
    path.write_text("{]")
    done = validate("audit", "--facts", str(path))
    assert done.returncode == 2
    says(done, "not JSON")
    path.write_text(json.dumps({"schema": 99}))
    done = validate("audit", "--facts", str(path))
    assert done.returncode == 2
    says(done, "newer")


def test_report_of_a_run_that_is_not_there(tmp_path: Path) -> None:
    done = validate("report", "--run", str(tmp_path / "no-run"))
    assert done.returncode == 2
    says(done, "no-run")


def test_a_product_file_with_unknown_keys_is_named_line_by_line(tmp_path: Path) -> None:
    text = (ROOT / "harden/product.yaml").read_text().replace("title:", "titel:")
    path = tmp_path / "product.yaml"
    path.write_text(text)
    done = validate("build", "--product", str(path))
    assert done.returncode == 2
    says(done, "product.yaml", "titel: unknown key", "title")
