"""The package on a stock machine with the product: refusals, apply, reboot, audit, monitor, revert. One machine.

The tests follow one another, as an administrator's day would: each begins where the one before it ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from images.build import BuiltImage
from results.base.events import Events
from results.records import Variant
from validate.commands.bundle import EPOCH, packages
from validate.family import make_family
from validate.machine.accelerator import Accelerator
from validate.machine.machine import DiskImage, Machine, MachineSettings, machine
from validate.machine.session import Reply
from validate.plan import Plan

pytestmark = pytest.mark.vm

APPLY = "harden-production-security.sh"
TUNING = "/etc/sysctl.d/99-dots-family-tuning.conf"
PLANTED = "/etc/systemd/system/dots-family-filter.service.d/other.conf"
PASSING = ("/loader/random-seed",)
"""The boot loader writes a new seed at every boot."""
LOOK = """
import hashlib, os, stat
found = {}
for top in ("/etc", "/usr/sbin", "/usr/lib/systemd/system", "/usr/lib/dots-family-hardening", "/boot/efi/loader",
            "/usr/share/dbus-1", "/var/lib/dots-family", "/var/lib/dots-family-hardening"):
    for folder, _folders, names in os.walk(top):
        for path in [folder, *(os.path.join(folder, name) for name in names)]:
            info = os.lstat(path)
            digest = ""
            if stat.S_ISREG(info.st_mode) and not path.startswith("/var/lib/dots-family/"):
                digest = hashlib.sha256(open(path, "rb").read()).hexdigest()
            found[path] = [oct(info.st_mode), info.st_uid, info.st_gid, digest]
for name in ("kernel/kptr_restrict", "kernel/yama/ptrace_scope", "net/ipv4/conf/all/rp_filter"):
    found["/proc/sys/" + name] = open("/proc/sys/" + name).read()
profiles = "/sys/kernel/security/apparmor/profiles"
found[profiles] = sorted(open(profiles).read().splitlines())
RESULT = found
"""


class Administrator:
    """Whoever sits at the machine."""

    def __init__(self, booted: Machine) -> None:
        self.machine = booted
        self.bare = self.look()
        """As it is before the package comes."""

    def run(self, *argv: str, timeout: float = 240) -> Reply:
        return self.machine.session.run(argv, check=False, timeout=timeout)

    def shell(self, text: str) -> Reply:
        """A fixed text, written here."""
        return self.run("sh", "-c", text)

    def look(self) -> dict[str, Any]:
        """Everything that the hardening touches: mode, owner and digest of files, some settings, the profiles."""
        found: dict[str, Any] = self.machine.session.python(LOOK, timeout=60)
        return {
            path: value for path, value in found.items() if not path.endswith(PASSING) and "__pycache__" not in path
        }

    def audit(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Exit status and what the audit has written."""
        reply = self.run("security-audit.sh", *words)
        (data,) = [line.removeprefix("data: ") for line in reply.text.splitlines() if line.startswith("data: ")]
        return reply.status, json.loads(self.run("cat", data).stdout)


@pytest.fixture(scope="module")
def admin(
    built: Mapping[Variant, BuiltImage],
    plan: Plan,
    accelerator: Accelerator,
    events: Events,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Administrator]:
    """A stock machine with the product, a family and the package, which has changed nothing yet."""
    image = built["baseline"]
    disk = DiskImage(image.disk, image.record.sha256, image.record.architecture)
    folder = tmp_path_factory.mktemp("package")
    with machine(disk, settings=MachineSettings(accelerator=accelerator), folder=folder, events=events) as booted:
        make_family(booted.session, plan.product)
        administrator = Administrator(booted)
        (package,) = [content for name, content in packages(plan, EPOCH).items() if name.endswith(".deb")]
        booted.session.put("/root/hardening.deb", package, 0o600)
        booted.session.run(["dpkg", "-i", "/root/hardening.deb"], timeout=120)
        yield administrator


@pytest.fixture(scope="module")
def stock(admin: Administrator) -> dict[str, Any]:
    """The machine before anything was applied."""
    return admin.look()


PLANT = (
    f"mkdir $(dirname {PLANTED}) && printf '[Service]\\nExecStart=\\nExecStart=/opt/other/filter\\n' > {PLANTED}"
    " && systemctl daemon-reload"
)
FILL = (
    "fallocate -l $(($(df --output=avail -B1 /var | tail -n1) - 4096)) /var/full; "
    "cat /dev/zero > /var/more 2> /dev/null || true"
)
REFUSALS = {
    "another vendor's unit": (
        PLANT,
        f"rm -r $(dirname {PLANTED}) && systemctl daemon-reload",
        "starts /opt/other/filter, not /usr/bin/dots-family-filter",
    ),
    "no apparmor": (
        "mv /usr/sbin/apparmor_parser /usr/sbin/gone",
        "mv /usr/sbin/gone /usr/sbin/apparmor_parser",
        "--without apparmor",
    ),
    "no auditd": ("mv /usr/sbin/augenrules /usr/sbin/gone", "mv /usr/sbin/gone /usr/sbin/augenrules", "auditd"),
    "a full disk": (
        FILL,
        "rm /var/full /var/more",
        "of room below /var/lib",
    ),
    "another one at work": (
        "flock /run/dots-family-hardening.lock sleep 1000 > /dev/null 2>&1 & sleep 1",
        "kill $(pgrep -f 'sleep 100[0]')",
        "it is running already",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_changes_nothing(admin: Administrator, stock: dict[str, Any], case: str) -> None:
    spoil, mend, told = REFUSALS[case]
    assert admin.shell(spoil).status == 0
    reply = admin.run(APPLY)
    assert admin.shell(mend).status == 0
    assert (reply.status, "nothing has been touched" in reply.text, told in reply.text) == (2, True, True), reply.text
    assert admin.look() == stock


def test_a_rehearsal_changes_nothing(admin: Administrator, stock: dict[str, Any]) -> None:
    reply = admin.run(APPLY, "--dry-run")
    assert reply.status == 0, reply.text
    assert "would write: /etc/apparmor.d/dots-family.daemon" in reply.text
    assert admin.look() == stock
    assert admin.run(APPLY, "status").status == 1


def test_killed_in_the_middle_it_says_so_and_goes_back(admin: Administrator, stock: dict[str, Any]) -> None:
    killing = (
        f"{APPLY} & while ! grep -qs activating /var/lib/dots-family-hardening/progress; do sleep 0.1; done; kill -9 $!"
    )
    admin.shell(f"{killing}; wait")
    assert "an earlier start was broken off at: activating" in admin.run(APPLY, "status").text
    reply = admin.run(APPLY, "revert")
    assert (reply.status, "this machine is as it was before" in reply.text) == (0, True), reply.text
    assert admin.look() == stock


def test_a_power_cut_in_the_middle_is_told_and_goes_back(admin: Administrator, stock: dict[str, Any]) -> None:
    """The boot in between comes up with half of the hardening; one command then puts all of it back."""
    begun = (
        f"systemd-run --quiet --collect {APPLY}; "
        "while ! grep -qs activating /var/lib/dots-family-hardening/progress; do sleep 0.1; done"
    )
    assert admin.shell(begun).status == 0
    admin.machine.cut_power()
    told = admin.run(APPLY, "status").text  # the step's name may not have reached the disk, what it touches may
    assert re.search("an earlier start was broken off at: (writing files|activating)", told), told
    reply = admin.run(APPLY, "revert")
    assert (reply.status, "this machine is as it was before" in reply.text) == (0, True), reply.text
    admin.machine.reboot()  # what the boot in between had locked comes back with the next
    assert admin.look() == stock


def test_applied_once_it_is_applied(admin: Administrator) -> None:
    reply = admin.run(APPLY)
    assert reply.status == 0, reply.text
    assert reply.seconds < 30 * admin.machine.accelerator.time_scale
    again = admin.run(APPLY)
    assert (again.status, "hardened: 0 of" in again.text) == (0, True), again.text
    assert admin.run("cp", "/usr/share/doc/dots-family-hardening/production-tuning.conf", TUNING).status == 0
    admin.machine.reboot()
    assert admin.run(APPLY, "status").status == 0


def test_the_audit_says_of_it_what_it_says_of_the_baked_image(admin: Administrator, plan: Plan) -> None:
    """Nothing to complain about: the pipeline demands the same of the baked image."""
    status, result = admin.audit("--facts", "/root/facts.json")
    broken = {one["control"]: one["message"] for one in result["findings"] if one["outcome"] in ("fail", "error")}
    assert (status, broken) == (0, {})
    assert {one["control"] for one in result["findings"]} == {check.control for check in plan.checks}


def test_a_fault_is_told_and_only_while_it_lasts(admin: Administrator) -> None:
    path = "/etc/sysctl.d/99-zz-dots-family-security.conf"
    service = "dots-family-security-monitor.service"

    def alerts() -> list[str]:
        mark = admin.shell("journalctl -n0 --show-cursor -q | sed 's/^-- cursor: //'").text.strip()
        assert admin.run("systemctl", "start", service).status == 0
        assert admin.run("journalctl", "--sync").status == 0  # what a service said last may not be written yet
        # without `-t`: systemd 252 leaves out the first entry that matches where the cursor's own does not match
        said = admin.run("journalctl", "-q", "-o", "cat", f"--after-cursor={mark}").text
        log = admin.run("tail", "-n", "30", "/var/log/dots-family/security-monitor.log").text
        found = [line for line in said.splitlines() if line.startswith("ALERT integrity")]
        assert all(line in log for line in found)
        return found

    alerts()  # the first look tells of all that has happened since the boot
    assert alerts() == []
    admin.shell(f"echo '# spoilt' >> {path}")
    assert alerts() == [f"ALERT integrity: {path} is not as the hardening has left it"]
    assert admin.run(APPLY).status == 0
    assert alerts() == []
    score = admin.run("systemd-analyze", "security", "--no-pager", service).text.splitlines()[-1]
    assert float(score.split(":")[1].split()[0]) <= 1.5


def test_an_audit_tells_what_has_changed_since_an_older_one(admin: Administrator) -> None:
    assert admin.run("security-audit.sh", "--json", "/root/old.json").status == 0
    assert admin.run("sysctl", "-w", "kernel.kptr_restrict=0").status == 0
    status, result = admin.audit("--against", "/root/old.json")
    assert result["changes"] == [{"control": "sysctl.kptr-restrict", "before": "pass", "after": "fail"}]
    assert status > 0
    assert admin.run("sysctl", "-w", "kernel.kptr_restrict=2").status == 0
    assert admin.run("ln", "-s", "/root/victim", "/tmp/planted.json").status == 0
    refused = admin.run("security-audit.sh", "--json", "/tmp/planted.json")
    assert (refused.status, b"/tmp/planted.json: File exists" in refused.stderr) == (4, True), refused.tail
    assert admin.run("ls", "/root/victim").status != 0


@pytest.mark.parametrize(("mode", "status"), [("complain", 1), ("enforce", 0)])
def test_profiles_may_only_tell_for_a_while(admin: Administrator, mode: str, status: int) -> None:
    reply = admin.run(APPLY, mode)
    assert reply.status == 0, reply.text
    loaded = admin.run("cat", "/sys/kernel/security/apparmor/profiles").text.splitlines()
    ours = [line for line in loaded if line.startswith("dots-family.")]
    assert len(ours) >= 4
    assert {line.rpartition(" ")[2] for line in ours} == {f"({mode})"}
    assert admin.run(APPLY, "status").status == status


def test_reverting_leaves_no_difference(admin: Administrator, stock: dict[str, Any]) -> None:
    assert admin.run("rm", TUNING).status == 0
    reply = admin.run(APPLY, "revert")
    assert reply.status == 0, reply.text
    now = admin.look()
    locked = {path for path in now if path.startswith("/proc/sys/")}  # of these, some wait for the reboot
    assert {path: now[path] for path in now.keys() - locked} == {path: stock[path] for path in stock.keys() - locked}
    admin.machine.reboot()
    assert admin.look() == stock


def test_removed_while_it_is_applied_it_can_be_reverted_still(admin: Administrator) -> None:
    """And a layer that was left out is left alone."""
    assert admin.run(APPLY, "--without", "network").status == 0
    assert "/etc/dots-family-hardening/egress.nft" not in admin.look()
    assert admin.run("dpkg", "-P", "dots-family-hardening", timeout=480).status == 0
    reply = admin.run("/var/lib/dots-family-hardening/tool/harden-production-security.sh", "revert")
    assert reply.status == 0, reply.text
    now = admin.look()
    locked = {path for path in admin.bare if path.startswith("/proc/sys/")}
    assert {path: now[path] for path in now.keys() - locked} == {
        path: admin.bare[path] for path in admin.bare.keys() - locked
    }
