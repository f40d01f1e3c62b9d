"""Evidence of falsification counts for the checks and the target that it was made with."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.adopt import adopt, newest
from results.falsification import FILE, Falsification, digest_of
from results.store import as_json, load_run, read_record

STORED = Path(__file__).parent / "fixtures" / "fail" / FILE


def put(root: Path, name: str, **changes: object) -> Path:
    record = read_record(STORED, Falsification).model_copy(update=changes)
    (root / name).mkdir(parents=True)
    (root / name / FILE).write_text(as_json(record))
    return root / name / FILE


def test_the_newest_whole_evidence_that_fits(tmp_path: Path) -> None:
    put(tmp_path, "20260101")
    wanted = put(tmp_path, "20260102")
    put(tmp_path, "20260103", target="debian-bookworm")
    put(tmp_path, "20260104", checks="sha256:others")
    put(tmp_path, "20260105", partial=True)
    (tmp_path / "20260106").mkdir()
    (tmp_path / "latest").symlink_to("20260103")
    assert newest(tmp_path, "debian-trixie", "sha256:0f0f") == wanted
    assert newest(tmp_path / "none", "debian-trixie", "sha256:0f0f") is None


def test_it_is_copied_whole_or_not_at_all(tmp_path: Path) -> None:
    source = put(tmp_path / "falsify", "20260101")
    run = tmp_path / "run"
    run.mkdir()
    assert not adopt(tmp_path / "falsify", run, "debian-trixie", "sha256:others")
    assert not list(run.iterdir())
    assert adopt(tmp_path / "falsify", run, "debian-trixie", "sha256:0f0f")
    assert (run / FILE).read_bytes() == source.read_bytes()


def test_counts() -> None:
    found = load_run(STORED.parent).falsification
    assert found is not None
    assert found.proven == 1
    assert [one.control for one in found.unproven] == ["dbus.default-deny"]
    assert found.by_evidence == {"state": 1, "configuration": 0, "digest": 0}
    assert found.also_red["systemd.daemon.nonewprivileges"] == ("integrity.units",)


@pytest.mark.parametrize("other", [{"a": 1, "b": 3}, {"a": 1}])
def test_the_digest_is_of_the_content(other: dict[str, int]) -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1}) != digest_of(other)
