"""What the collectors make of what kernel and tools print: real lines, and whatever else may come."""

from __future__ import annotations

import json
import struct
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from validate.facts.guest import (
    accounts,
    apparmor,
    audit,
    bpf,
    dbus,
    journal,
    kernel,
    machine,
    network,
    processes,
    ssh,
    sysctl,
    units,
)
from validate.facts.guest.context import Commands, Context, Reader

AUDIT_RULES = """\
-w /etc/dots-family -p wa -k dots-config
-a always,exit -F arch=b64 -S bpf -F key=dots-bpf
-a always,exit -F arch=b64 -S execve,execveat -F uid>=1000 -F auid!=-1 -F key=dots-exec
"""
MOUNTS = r"""24 29 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:6 - sysfs sysfs rw
29 1 252:2 / / ro,relatime shared:1 - ext4 /dev/vda2 rw,discard
31 29 252:2 /x /mnt/a\040b rw,relatime shared:1 master:2 - ext4 /dev/vda2 rw
32 29 0:40 / /tmp rw - tmpfs tmpfs
33 29 252:2 / /mnt/a\040b ro,relatime - ext4 /dev/vda2 rw
"""
RULESET = """\
table inet dots_family {
    set children {
        type uid
        flags interval
        elements = { 1001, 100000-165535,
                 165536-231071 }
    }

    set filter {
        type uid
    }

    chain output {
        type filter hook output priority filter; policy accept;
        meta skuid @children ip daddr 127.0.0.0/8 accept
        meta skuid @filter ip daddr { 10.0.0.0/8, 192.168.0.0/16 } counter reject
        tcp flags syn / fin,syn,rst,ack drop
    }
}
table ip other {
    chain output {
    }
}
"""
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   988        0 5179 1 0 100 0 0 10 0
   1: 0F02000A:0016 0202000A:C350 01 00000000:00000000 00:00000000 00000000     0        0 5180 1 0 100 0 0 10 0
"""
POLICY = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN" "x.dtd">
<busconfig>
  <policy context="default"><deny send_destination="org.x"/><!-- c --></policy>
  <policy group="g"><allow send_destination="org.x" send_member="A"/><allow own="org.x"/></policy>
</busconfig>"""


def test_audit_rules_and_keys() -> None:
    rules = audit.parse_rules(AUDIT_RULES)
    assert len(rules) == 3
    assert audit.keys_of(rules) == ["dots-bpf", "dots-config", "dots-exec"]


def test_no_audit_rules_is_said_in_words() -> None:
    assert audit.parse_rules("No rules\n") == []


def test_audit_status() -> None:
    status = audit.parse_status("enabled 2\npid 500\nlost 0\nloginuid_immutable 0 unlocked\n")
    assert status == {"enabled": 2, "pid": 500, "lost": 0, "loginuid_immutable": "0 unlocked"}


@given(st.text())
def test_audit_takes_any_text(text: str) -> None:
    audit.parse_status(text)
    assert audit.keys_of(audit.parse_rules(text)) == sorted(set(audit.keys_of(audit.parse_rules(text))))


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), st.booleans())
def test_a_key_is_found_in_either_spelling(key: str, short: bool) -> None:
    rule = f"-w /x -p wa -k {key}" if short else f"-a always,exit -S bpf -F key={key}"
    assert audit.keys_of([rule]) == [key]


def test_mounts_and_what_is_writable() -> None:
    mounts = processes.parse_mountinfo(MOUNTS)
    assert mounts[2]["point"] == "/mnt/a b"
    assert mounts[1]["options"] == ["ro", "relatime"]
    # the later mount on the same point is read-only, and it is the one that counts
    assert processes.writable_points(mounts) == {"writable": ["/tmp"], "writable_kernel": ["/sys"]}


@given(st.text())
def test_mounts_take_any_text(text: str) -> None:
    json.dumps(processes.parse_mountinfo(text + MOUNTS))


@given(st.text())
def test_unescaping_leaves_plain_names_alone(name: str) -> None:
    if "\\" not in name:
        assert processes.unescape(name) == name
    assert processes.unescape("".join(f"\\{byte:03o}" for byte in name.encode())) == name


def test_capabilities_by_name() -> None:
    assert processes.capability_names("0000000000000000") == []
    assert processes.capability_names("000000c000000020") == ["CAP_BPF", "CAP_KILL", "CAP_PERFMON"]
    assert processes.capability_names("0000020000000000") == ["CAP_41"]


@given(st.integers(0, 2**64 - 1))
def test_every_capability_bit_has_one_name(mask: int) -> None:
    assert len(set(processes.capability_names(f"{mask:x}"))) == mask.bit_count()


def test_limits() -> None:
    text = (
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max open files            1024                 4096                 files     \n"
    )
    assert processes.parse_limits(text) == {"open_files": {"soft": "1024", "hard": "4096"}}


def test_unit_properties() -> None:
    shown = units.parse_show(
        "Id=a.service\nEnvironment=A=1\nExecStart=x\nExecStart=y\n\nId=b.service\nStatusText=1\n2\n"
    )
    assert shown[0] == {"Id": "a.service", "Environment": "A=1", "ExecStart": "x\ny"}
    assert shown[1]["StatusText"] == "1\n2"


@given(st.text())
def test_unit_properties_take_any_text(text: str) -> None:
    for unit in units.parse_show(text):
        assert all(key.isidentifier() for key in unit)


def test_exposure() -> None:
    assert units.parse_exposure('[{"unit":"a.service","exposure":"3.9","predicate":"OK","happy":"x"}]') == {
        "a.service": 3.9
    }


def test_sysctl_lines() -> None:
    text = "# c\n; c\n kernel.kptr_restrict = 2 \n-net/ipv4/conf/eth0.1/rp_filter=1\n-net.ipv4.conf.lo.x\nnonsense\n"
    assert sysctl.parse_sysctl(text) == [
        ("kernel.kptr_restrict", "2", False),
        ("net.ipv4.conf.eth0/1.rp_filter", "1", True),
        ("net.ipv4.conf.lo.x", None, True),
    ]


@given(st.text())
def test_sysctl_takes_any_text(text: str) -> None:
    assert all(key for key, _, _ in sysctl.parse_sysctl(text))


def test_what_sysctl_did_not_apply() -> None:
    def wanted(value: str, *, lenient: bool = False) -> dict[str, object]:
        return {"value": value, "file": "f", "lenient": lenient}

    settings = {
        "kernel.exec-shield": wanted("1"),
        "a.missing": wanted("1", lenient=True),
        "a.same": wanted("1 2"),
        "net.*.rp_filter": wanted("1"),
        "net.own.rp_filter": wanted("2"),
    }
    now = {"a.same": "1\t2", "net.x.rp_filter": "0", "net.own.rp_filter": "2", "net.not.rp_filter": "0"}
    wrong = sysctl.unapplied(settings, now, {"net.not.rp_filter"})
    assert wrong == ["kernel.exec-shield", "net.x.rp_filter"]


def test_apparmor_profiles() -> None:
    text = "dots-family.daemon (enforce)\n/usr/bin/man (x) (complain)\nbroken\n"
    assert apparmor.parse_profiles(text) == {"dots-family.daemon": "enforce", "/usr/bin/man (x)": "complain"}


def test_bus_policy() -> None:
    assert dbus.parse_policy(POLICY) == [
        {"context": "default", "rule": "deny", "attributes": {"send_destination": "org.x"}},
        {"group": "g", "rule": "allow", "attributes": {"send_destination": "org.x", "send_member": "A"}},
        {"group": "g", "rule": "allow", "attributes": {"own": "org.x"}},
    ]


def test_the_unit_of_a_process() -> None:
    assert dbus.unit_of("0::/system.slice/system-m.slice/m@kim.service\n") == "m@kim.service"
    assert dbus.unit_of("1:name=x:/a.service\n0::/init.scope\n") == "init.scope"
    assert dbus.unit_of("0::/\n") is None


def test_bus_members() -> None:
    xml = (
        '<!DOCTYPE node><node><interface name="org.x"><method name="B"/><method name="A"/></interface>'
        '<interface name="org.freedesktop.DBus.Peer"><method name="Ping"/></interface></node>'
    )
    assert dbus.parse_members(xml) == {"org.x": ["A", "B"]}


def test_accounts_keep_no_hash() -> None:
    groups = accounts.parse_group("kim:x:1000:\nfamily:x:5:kim,pat\nbroken\n")
    shadow = "kim:$y$secret:1::::::\nempty::1::::::\nlocked:!x:1::::::\n"
    passwd = "kim:x:1000:1000:K:/home/kim:/bin/sh\nempty:x:2:2::/:/bin/sh\nlocked:x:3:3::/:/x\nnone:x:4:4::/:/x\n+::\n"
    users = accounts.users(passwd, shadow, groups)
    assert users["kim"]["groups"] == ["family", "kim"]
    states = {name: user["password"] for name, user in users.items()}
    assert states == {"kim": "set", "empty": "empty", "locked": "locked", "none": "none"}
    assert "secret" not in json.dumps(users)


@given(st.text(), st.text(), st.text())
def test_accounts_take_any_text(passwd: str, shadow: str, group: str) -> None:
    for user in accounts.users(passwd, shadow, accounts.parse_group(group)).values():
        assert user["password"] in ("none", "empty", "locked", "set")


@given(st.text(min_size=4).filter(lambda text: ":" not in text and text[0] not in "!*" and len(text.splitlines()) == 1))
def test_no_password_hash_leaves_the_machine(secret: str) -> None:
    users = accounts.users("kim:x:1:1::/h:/s\n", f"kim:Z{secret}Z:1\n", {})
    assert f"Z{secret}Z" not in json.dumps(users, ensure_ascii=False)


def test_sudoers_and_login_defs() -> None:
    assert accounts.parse_sudoers("# c\nDefaults \\\n  env_reset\n#includedir /x\n\n") == [
        "Defaults env_reset",
        "#includedir /x",
    ]
    assert accounts.parse_login_defs("# c\nUMASK\t\t027\nEMPTY\n") == {"UMASK": "027", "EMPTY": ""}


def test_listeners() -> None:
    assert network.parse_table(TCP, "0A") == [{"address": "127.0.0.1", "port": 8080, "uid": 988, "inode": "5179"}]
    assert network.parse_address("00000000000000000000000001000000:0016") == ("::1", 22)
    assert network.parse_address("0000000000000000FFFF00000100007F:0016") == ("::ffff:127.0.0.1", 22)
    assert all(network.is_loopback(address) for address in ("127.0.0.53", "::1", "::ffff:127.0.0.1"))
    assert not any(network.is_loopback(address) for address in ("::", "10.0.2.15", "::ffff:10.0.2.15"))


def test_program_info() -> None:
    raw = bytearray(232)
    struct.pack_into("<II", raw, 0, 17, 42)
    struct.pack_into("<I", raw, 48, 989)
    raw[64:73] = b"dots_exec"
    struct.pack_into("<QQ", raw, 192, 5, 7)
    program = bpf.parse_program(bytes(raw), 232)
    assert (program["id"], program["name"], program["type"]) == (42, "dots_exec", "raw_tracepoint")
    assert (program["loaded_uid"], program["run_cnt"]) == (989, 7)
    assert bpf.parse_program(bytes(raw), 100)["run_cnt"] is None


def test_fdinfo() -> None:
    assert bpf.parse_fdinfo("prog_tag:\te8932b6bae2b9745\nprog_id:\t21\nlink_id:\t2\n") == {"prog_id": 21, "link_id": 2}


def test_kernel_words() -> None:
    assert kernel.selected("none [integrity] confidentiality\n") == "integrity"
    assert kernel.selected(None) is None
    assert kernel.parse_entry("title x\noptions a b\nlinux /l\noptions  c\n") == "a b c"


def test_os_release() -> None:
    assert machine.parse_os_release('ID=debian\nNAME="Debian GNU/Linux"\nODD="\n') == {
        "ID": "debian",
        "NAME": "Debian GNU/Linux",
        "ODD": '"',
    }


def test_sshd_settings() -> None:
    assert ssh.parse_settings("Port 22\nhostkey /a\nhostkey /b\n") == {"port": "22", "hostkey": "/a\n/b"}


DENIED = 'audit(100.5:7): apparmor="DENIED" operation="open" profile="dots-family.daemon" name="/x"'


def test_denials_and_warnings() -> None:
    assert journal.profile_of(DENIED) == "dots-family.daemon"
    assert journal.profile_of(DENIED.replace("DENIED", "ALLOWED")) is None
    assert journal.audit_log_lines(DENIED + "\nother", 90.0) == [DENIED]
    assert journal.audit_log_lines(DENIED, 200.0) == []


def test_unit_warnings_are_told_apart_from_other_messages() -> None:
    def entry(message: str, **more: str) -> dict[str, str]:
        return {"SYSLOG_IDENTIFIER": "systemd", "MESSAGE": message, **more}

    said = "/etc/systemd/system/a.service.d/x.conf:3: Unknown key 'No' in section [Service], ignoring."
    assert journal.warning_of(entry(said)) == said
    assert journal.warning_of(entry("Failed", CONFIG_FILE="/a", CONFIG_LINE="2")) == "/a:2: Failed"
    assert journal.warning_of(entry("a.service: Main process exited, code=killed")) is None
    assert journal.warning_of({"SYSLOG_IDENTIFIER": "evil", "MESSAGE": said}) is None


def test_journal_fields_of_raw_bytes() -> None:
    assert journal.parse_entries('{"MESSAGE":[104,105,255],"UNIT":null}\n') == [{"MESSAGE": "hi\\xff"}]


def test_packet_filter_rules() -> None:
    chains, sets = network.parse_rules(RULESET)
    assert chains == {
        "inet dots_family output": [
            "type filter hook output priority filter; policy accept;",
            "meta skuid @children ip daddr 127.0.0.0/8 accept",
            "meta skuid @filter ip daddr { 10.0.0.0/8, 192.168.0.0/16 } counter reject",
            "tcp flags & (fin | syn | rst | ack) == syn drop",
        ],
        "ip other output": [],
    }
    assert sets == {
        "inet dots_family children": ["1001", "100000-165535", "165536-231071"],
        "inet dots_family filter": [],
    }
    assert network.parse_rules("") == ({}, {})


def test_accounts_that_the_packet_filter_lacks(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    users = {"kim": (1001, 1001), "leo": (1002, 988), "zoe": (1003, 1003), "webby": (986, 986)}
    lines = [f"{name}:x:{uid}:{gid}::/:/bin/sh\n" for name, (uid, gid) in users.items()]
    (tmp_path / "etc/passwd").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "etc/group").write_text("kids:x:988:kim\n", encoding="utf-8")
    product = {"name": "dots-family", "groups": {"children": "kids"}, "accounts": {"filter": {"user": "webby"}}}
    context = Context(Reader(str(tmp_path)), Commands(), {"product": product})
    held = {"inet dots_family children": ["1001-1002"], "inet dots_family filter": ["986"]}
    assert network.unfiltered(context, held) == []
    assert network.unfiltered(context, {**held, "inet dots_family children": ["1001"]}) == ["leo"]
    assert network.unfiltered(context, {}) == ["kim", "leo", "webby"]
