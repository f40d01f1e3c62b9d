"""The whole collector on a small recorded machine: a folder for its files, recorded answers for its commands."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from harden.product import load_product
from results.base.errors import InfrastructureError
from validate.facts.collect import collect, needed, script
from validate.facts.guest import collector, journal, sysctl, units
from validate.facts.guest.context import Commands, Context, CouldNotLookError, Reader
from validate.facts.guest.files import describe_path, paths_asked, walk

GOLDEN = Path(__file__).parent / "golden"
QUESTIONS: dict[str, Any] = {"product": load_product().model_dump(mode="json"), "units": ["extra.service"]}

STATUS = """Name:\tx
Umask:\t0027
Uid:\t1000\t1000\t1000\t1000
Gid:\t7\t7\t7\t7
Groups:\t7 5
VmHWM:\t    12 kB
Threads:\t3
CapInh:\t0000000000000000
CapPrm:\t0000000000000020
CapEff:\t0000000000000020
CapBnd:\t0000000000000020
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t5
"""
MOUNT = "29 1 252:2 / / ro,relatime shared:1 - ext4 /dev/vda2 rw\n"
FILES = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\nkim:x:1000:7::/home/kim:/bin/sh\n",
    "/etc/group": "root:x:0:\nfamily:x:5:kim\nkim:x:7:\n",
    "/etc/shadow": "root:!:1::::::\n",
    "/etc/sysctl.d/10-x.conf": "kernel.one = 1\n",
    "/usr/lib/sysctl.d/10-x.conf": "kernel.one = 2\n",
    "/proc/sys/kernel/one": "1\n",
    "/proc/42/status": STATUS,
    "/proc/42/mountinfo": MOUNT,
    "/proc/42/cmdline": "/usr/bin/x\0--flag\0",
    "/proc/42/limits": "Limit\n",
    "/proc/42/oom_score_adj": "0\n",
    "/proc/42/attr/current": "dots-family.daemon (enforce)\n\0",
    "/proc/self/mountinfo": MOUNT,
    "/proc/stat": "cpu 1\nbtime 100\n",
    "/var/log/audit/audit.log": 'audit(200.1:1): apparmor="DENIED" profile="dots-family.daemon"\n',
}


class Recorded(Commands):
    """Answers from a dictionary; everything else is not on this machine."""

    def __init__(self, answers: dict[tuple[str, ...], str]) -> None:
        super().__init__()
        self.answers = answers

    def start(self, *_: str) -> None:
        return

    def output(self, *argv: str, accept: Iterable[int] = (0,)) -> str:  # noqa: ARG002 - the real one's signature
        if argv not in self.answers:
            raise CouldNotLookError(f"{argv[0]}: not on this machine")
        return self.answers[argv]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    for path, text in FILES.items():
        place = tmp_path / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for pid in ("1", "42"):
        for folder in ("ns", "fd"):
            (tmp_path / "proc" / pid / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc" / pid / "ns" / "mnt").symlink_to(f"mnt:[{pid}]")
    (tmp_path / "proc/42/exe").symlink_to("/usr/bin/x")
    (tmp_path / "proc/42/fd/3").symlink_to("/var/lib/x.db")
    (tmp_path / "proc/42/fd/4").symlink_to("socket:[9]")
    context = Context(Reader(str(tmp_path)), Recorded({}), QUESTIONS)
    assert isinstance(context.commands, Recorded)
    context.commands.answers = {
        journal.COMMAND: "",
        units.command(context): "Id=a.service\nMainPID=42\n\nId=b.service\nMainPID=0\n\nId=c.service\nMainPID=43\n",
    }
    return context


def test_units_with_and_without_a_process(context: Context) -> None:
    found = units.collect(context)["units"]
    process = found["a.service"]["process"]
    assert process["uid"] == ["kim"] * 4
    assert process["groups"] == ["family", "kim"]
    assert process["cap_eff"] == ["CAP_KILL"]
    assert process["apparmor"] == "dots-family.daemon (enforce)"
    assert process["namespaces"] == ["mnt"]
    assert process["fds"] == ["/var/lib/x.db"]
    assert process["command"] == ["/usr/bin/x", "--flag"]
    assert process["memory"] == {"VmHWM": 12288}
    assert found["b.service"]["process"] is None


def test_a_process_that_is_gone_is_an_error_not_a_none(context: Context) -> None:
    units.collect(context)
    assert "No such file" in context.errors["units.c.service.process"]


def test_sysctl_reads_what_systemd_reads(context: Context) -> None:
    found = sysctl.collect(context)
    assert found["sysctl"] == {"kernel.one": "1"}
    assert found["sysctl_configured"]["kernel.one"]["file"] == "/etc/sysctl.d/10-x.conf"
    assert found["sysctl_unapplied"] == []


def test_denials_come_from_the_audit_log_too(context: Context) -> None:
    assert journal.collect(context)["journal"]["denials_total"] == 1


def test_files_that_are_not_there_are_none(context: Context) -> None:
    assert describe_path(context, "/etc/nothing") is None
    described = describe_path(context, "/etc/passwd")
    assert described is not None
    assert described["sha256"]
    shadow = describe_path(context, "/etc/shadow")
    assert shadow is not None
    assert shadow["sha256"] is None
    assert list(walk(context, "/etc/sysctl.d")) == ["/etc/sysctl.d", "/etc/sysctl.d/10-x.conf"]
    assert "/var/lib/dots-family/family.db-wal" in paths_asked(context)


def test_one_broken_section_does_not_hide_the_others(context: Context) -> None:
    def breaks(_: Context) -> dict[str, Any]:
        raise RuntimeError("broke")

    sections: tuple[collector.Section, ...] = ((("x", "y"), breaks), (("z",), lambda _: {"z": 1}))
    facts = collector.collect(context, sections)
    assert facts["errors"] == {"x": "RuntimeError: broke", "y": "RuntimeError: broke"}
    assert facts["z"] == 1
    assert set(facts["section_seconds"]) == {"x", "z"}


def test_every_section_that_could_not_look_says_so(context: Context) -> None:
    facts = collector.collect(context)
    missing = {name for names, _ in collector.SECTIONS for name in names} - set(facts) - {"exposure"}
    assert missing
    assert missing <= set(facts["errors"])
    assert facts["errors"]["sshd"] == "sshd: not on this machine"


def test_once_remembers_errors_too(context: Context) -> None:
    calls: list[int] = []

    def work(_: Context) -> None:
        calls.append(1)
        raise CouldNotLookError("no")

    for _ in range(2):
        with pytest.raises(CouldNotLookError):
            context.once("x", work)
    assert len(calls) == 1


def test_commands_say_why_they_failed() -> None:
    commands = Commands()
    commands.start("sh", "-c", "echo hi")
    assert commands.output("sh", "-c", "echo hi") == "hi\n"
    with pytest.raises(CouldNotLookError, match="exit status 3: bad"):
        commands.output("sh", "-c", "echo bad >&2; exit 3")
    with pytest.raises(CouldNotLookError, match="not on this machine"):
        commands.output("no-such-program-here")


def test_a_command_that_says_much_does_not_wait_for_its_reader() -> None:
    commands = Commands()
    loud = ("sh", "-c", "head -c 3000000 /dev/zero")
    commands.start(*loud)
    assert len(commands.output(*loud)) == 3_000_000


def test_the_script_holds_every_module_and_is_the_same_each_time() -> None:
    assert script() == script()
    assert "validate.facts.guest.bpf" in script()
    compile(script(), "script", "exec")


class Answering:
    """A session that gives one answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def python(self, source: str, argument: object = None, *, modules: Any = None, timeout: float = 0) -> Any:
        del source, argument, modules, timeout
        return self.answer


def test_collect_checks_and_names_its_collector() -> None:
    golden = json.loads((GOLDEN / "boot-1.json").read_text())
    facts = collect(Answering(golden), load_product())
    assert facts["collector"].startswith("sha256:")
    with pytest.raises(InfrastructureError, match="no facts that can be judged"):
        collect(Answering({"schema": 1}), load_product())


def test_what_checks_need_is_asked_for() -> None:
    facts = [
        ("files", "/etc/a", "mode"),
        ("files", "/etc/b.d/*.conf", "mode"),
        ("units", "u@*.service", "x"),
        ("audit",),
    ]
    assert needed(facts) == (("u@*.service",), ("/etc/a", "/etc/b.d"))
