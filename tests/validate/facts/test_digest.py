"""The digest without OpenSSL is the same digest."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validate.facts.guest import digest


@given(st.binary(max_size=300))
def test_it_is_sha256(data: bytes) -> None:
    assert digest.sha256(data) == hashlib.sha256(data).hexdigest()


def test_it_is_pythons_own() -> None:
    assert digest._SHA256.__module__ in digest.MODULES[:-1]


def test_openssl_serves_where_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "MODULES", ("no_such_module", "hashlib"))
    assert digest._algorithm() is hashlib.sha256
