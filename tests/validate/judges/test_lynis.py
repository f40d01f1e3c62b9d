from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.base.errors import InfrastructureError
from results.judges import MOST, Lynis
from validate.judges.lynis import LIMIT, parse_report

REPORT = b"""# Lynis Report
report_version_major=1
lynis_version=3.1.4
hardening_index=71
warning[]=FIRE-4512|iptables module(s) loaded, but no rules active|-|-|
suggestion[]=SSH-7408|Consider hardening SSH configuration|MaxSessions (set 10 to 2)|-|
suggestion[]=SSH-7408|Consider hardening SSH configuration|Port (set 22 to )|-|
suggestion[]=SSH-7408|Consider hardening SSH configuration|Port (set 22 to )|-|
suggestion[]=LYNIS|This release is more than 4 months old|-|text:-|
details[]=SSH-7408|sshd|desc:sshd option MaxSessions;field:MaxSessions;prefval:2;value:10;|
lynis_tests_done=251
finish=true
"""


def test_a_report_is_read() -> None:
    lynis = parse_report(REPORT, seconds=412.34)
    assert (lynis.version, lynis.index, lynis.tests, lynis.seconds) == ("3.1.4", 71, 251, 412.3)
    assert [(one.kind, one.test, one.about) for one in lynis.remarks] == [
        ("warning", "FIRE-4512", ""),
        ("suggestion", "SSH-7408", "MaxSessions (set 10 to 2)"),
        ("suggestion", "SSH-7408", "Port (set 22 to )"),
        ("suggestion", "LYNIS", ""),
    ]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"finish=true", b"", "not come to its end"),
        (b"hardening_index=71", b"", "hardening_index"),
        (b"hardening_index=71", b"hardening_index=7x", "hardening_index"),
        (b"hardening_index=71", b"hardening_index=101", "hardening_index"),
        (b"hardening_index=71", b"hardening_index=" + b"9" * 5000, "hardening_index"),
        (b"lynis_tests_done=251", b"lynis_tests_done=-1", "lynis_tests_done"),
        (b"hardening_index=71", "hardening_index=٧١".encode(), "hardening_index"),
        (b"FIRE-4512", b"<script>", "names a test"),
        (b"FIRE-4512", b"", "names a test"),
    ],
)
def test_a_report_that_is_not_whole_is_refused(old: bytes, new: bytes, words: str) -> None:
    with pytest.raises(InfrastructureError, match=words):
        parse_report(REPORT.replace(old, new), seconds=1)


def test_a_report_is_bounded() -> None:
    with pytest.raises(InfrastructureError, match="bytes"):
        parse_report(b"x" * (LIMIT + 1), seconds=1)
    many = b"".join(b"suggestion[]=AUTH-9000|text %d|-|-|\n" % number for number in range(MOST + 1))
    with pytest.raises(InfrastructureError, match="remarks"):
        parse_report(many + REPORT, seconds=1)
    long = parse_report(b"suggestion[]=AUTH-9000|" + b"y" * 9000 + b"|-|-|\n" + REPORT, seconds=1)
    assert len(long.remarks[0].text) < 1000


@given(st.binary(max_size=300))
def test_whatever_a_machine_sends_is_a_record_or_an_error(noise: bytes) -> None:
    for raw in (noise, REPORT + noise, REPORT.replace(b"MaxSessions", noise)):
        try:
            assert isinstance(parse_report(raw, seconds=1), Lynis)
        except InfrastructureError:
            continue
