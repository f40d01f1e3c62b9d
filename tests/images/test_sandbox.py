from __future__ import annotations

import json

import pytest

from images import requirements, sandbox
from images.namespace import subordinate_range
from results.base.errors import InfrastructureError, UsageError
from results.base.process import Completed


@pytest.mark.parametrize(
    ("said", "kind", "what"),
    [
        ("E: namespaces: unshare: Operation not permitted", InfrastructureError, "no namespaces"),
        ("tar: base.tar: Wrote only 512 of 10240 bytes: No space left on device", InfrastructureError, "disk is full"),
        ("E: Failed to fetch http://127.0.0.1:9/  Could not connect to 127.0.0.1:9", InfrastructureError, "not answer"),
        ("W: GPG error: x NO_PUBKEY 0E98404D386FA1D9\nE: Failed to fetch", InfrastructureError, "signature"),
        (
            "E: Failed to fetch http://x/a_1.deb  404  Not Found [IP: 1.2.3.4]\n a.deb 404",
            InfrastructureError,
            "other packages",
        ),
        (" x : Depends: y but it is not installable\nE: Unable to correct problems", UsageError, "together"),
        ("E: Unable to locate package sysstemd", UsageError, "unknown"),
        ("dpkg: error processing package dots (--configure):", UsageError, "scripts"),
        ("something else", InfrastructureError, "exit status 3"),
    ],
)
def test_a_failed_step_is_explained(said: str, kind: type[Exception], what: str) -> None:
    error = sandbox.explain(Completed(("x",), 3, b"", said.encode(), 1.0), "step")
    assert type(error) is kind
    assert what in error.what
    assert error.hint
    assert said.splitlines()[-1] in error.evidence


def test_the_command_shows_what_is_bound() -> None:
    argv = sandbox.vector(["sh", "x"], {}, {"A": "b"})
    job = json.loads(argv[-1])
    assert job["argv"] == ["sh", "x"]
    assert job["environment"]["A"] == "b"
    assert set(job["environment"]) == {"PATH", "LC_ALL", "HOME", "A"}


def test_subordinate_ids() -> None:
    text = "# x\nother:100000:65536\nme:5:10\nme:200000:65536\n1000:300000:65536\nbroken\n"
    assert subordinate_range(text, ("me", "1000")) == 200000
    assert subordinate_range(text, ("1000", "1000")) == 300000
    assert subordinate_range(text, ("nobody",)) is None


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "which", lambda program: None if program == "mmdebstrap" else f"/bin/{program}")
    assert "mmdebstrap" in [need.package for need in requirements.missing()]
