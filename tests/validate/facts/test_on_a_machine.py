"""The collector in a real, hardened machine: it sees everything, and twice the same."""

from __future__ import annotations

import pytest

from validate.facts.collect import collect, needed
from validate.facts.guest.journal import KEPT
from validate.facts.stable import stable
from validate.machine.machine import Machine
from validate.plan import Plan


@pytest.mark.vm
def test_a_hardened_machine_answers_every_question(hardened_machine: Machine, plan: Plan) -> None:
    units, paths = needed(check.fact for check in plan.checks)
    first, second = (
        collect(hardened_machine.session, plan.product, extra_units=units, extra_paths=paths) for _ in range(2)
    )
    assert first["errors"] == {}
    assert first["units"][plan.product.units["daemon"].name]["process"]
    assert stable(first) == stable(second)


FLOOD = """
import os, socket
os.setuid(65534)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
    journal.connect("/run/systemd/journal/socket")
    for number in range(3000):
        said = f"/etc/systemd/system/forged-{number}.service:1: Unknown key, ignoring" + "x" * 3000
        fields = {"SYSLOG_IDENTIFIER": "systemd", "PRIORITY": "3", "CONFIG_FILE": "/forged", "MESSAGE": said}
        journal.send("".join(f"{key}={value}\\n" for key, value in fields.items()).encode())
RESULT = None
"""
FILL = """
import time
line = 'type=AVC msg=audit(%d.000:%d): apparmor="DENIED" profile="dots-family.daemon" name="/\\udcff\\x1b[2J"\\n'
with open("/var/log/audit/audit.log", "a", errors="surrogateescape") as log:
    for number in range(150_000):
        log.write(line % (time.time(), 10_000_000 + number))
RESULT = None
"""


@pytest.mark.vm
def test_full_logs_and_forged_entries_neither_stop_nor_fool_it(hardened_machine: Machine, plan: Plan) -> None:
    """A user who calls himself systemd, and an audit log of 17 MB of denials with bytes that are no text."""
    hardened_machine.snapshot_save("full-logs")
    try:
        before = collect(hardened_machine.session, plan.product)["journal"]
        hardened_machine.session.python(FLOOD)
        hardened_machine.session.python(FILL)
        facts = collect(hardened_machine.session, plan.product)
    finally:
        hardened_machine.snapshot_load("full-logs")
    assert facts["errors"] == {}
    found = facts["journal"]
    assert found["unit_warnings"] == before["unit_warnings"]
    assert (len(found["denials"]), found["denials_total"] > 10_000) == (KEPT, True)
    assert facts["seconds"] < 30
