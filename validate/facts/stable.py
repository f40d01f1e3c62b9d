"""Facts without what differs between any two boots or machines, flat: what is left should be equal or explained."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase, translate
from typing import Any, NamedTuple


class Rule(NamedTuple):
    """Facts that are left out: a glob over dotted paths, and why."""

    pattern: str
    reason: str


MOMENT = "a reading of the moment"
NUMBERED = "numbers are handed out in order of arrival"
SESSION = "comes and goes with log-ins"
ON_DEMAND = "loaded or started when somebody first needs it"
IDENTITY = "tells machines or boots apart, which is its purpose"
HOST = "given by the host, not by the image"
COLLECTOR = "about the collection, not about the machine"

WHILE_RUNNING = ("ActiveState", "SubState", "ConditionResult", "AssertResult", "ControlGroup", "CanFreeze")
LEFT_OUT = (
    Rule("schema", COLLECTOR),
    Rule("collector", COLLECTOR),
    Rule("seconds", COLLECTOR),
    Rule("section_seconds.*", COLLECTOR),
    Rule("exposure.*", "derived from the units' settings, which are compared themselves"),
    Rule("machine.boot_id", IDENTITY),
    Rule("machine.machine_id", IDENTITY),
    Rule("machine.hostname", IDENTITY),
    Rule("machine.uptime", MOMENT),
    Rule("machine.clock.*", "depends on whether a time server answered yet"),
    Rule("machine.state", "`starting` or `running` depends on the moment; failed units are compared by name"),
    Rule("units.*.process.pid", NUMBERED),
    Rule("units.*.process.memory.*", MOMENT),
    Rule("units.*.process.threads", MOMENT),
    Rule("units.*.process.fds", MOMENT),
    Rule("units.*.process.mounts.*.source", "names of devices and of credentials folders follow the order of arrival"),
    Rule("units.*.process.mounts.*.super", "sizes of memory file systems follow the host's memory"),
    Rule(
        "units.*.process.limits.processes.*", "the kernel's default follows the host's memory; the property is compared"
    ),
    Rule("units.*.process.limits.pending_signals.*", "follows the host's memory"),
    *(
        Rule(
            f"units.dots-family-security-*.service.{name}",
            "the timers start it, so it may be running just now, or not yet",
        )
        for name in ("process", "process.*", *(f"properties.{one}" for one in WHILE_RUNNING))
    ),
    Rule("units.dots-family-security-*.timer.properties.SubState", "tells whether its service is running just now"),
    Rule("mounts.*.source", "names of devices follow the order of arrival"),
    Rule("mounts.*.super", "sizes of memory file systems follow the host's memory"),
    Rule("sysctl.kernel.random.*", IDENTITY),
    Rule("sysctl.kernel.hostname", IDENTITY),
    Rule("sysctl.fs.dentry-state", MOMENT),
    Rule("sysctl.fs.file-nr", MOMENT),
    Rule("sysctl.fs.inode-nr", MOMENT),
    Rule("sysctl.fs.inode-state", MOMENT),
    Rule("sysctl.fs.aio-nr", MOMENT),
    Rule("sysctl.fs.quota.*", MOMENT),
    Rule("sysctl.kernel.ns_last_pid", NUMBERED),
    Rule("sysctl.kernel.pty.nr", SESSION),
    Rule("sysctl.net.netfilter.nf_conntrack_count", MOMENT),
    Rule("sysctl.kernel.perf_event_max_sample_rate", "the kernel lowers it by itself when interrupts take long"),
    Rule("sysctl.kernel.sched_domain.*", HOST),
    Rule("sysctl.fs.file-max", "follows the host's memory"),
    Rule("sysctl.fs.epoll.max_user_watches", "follows the host's memory"),
    Rule("sysctl.fs.inotify.max_user_watches", "follows the host's memory"),
    Rule("sysctl.fs.fanotify.max_user_marks", "follows the host's memory"),
    Rule("sysctl.kernel.threads-max", "follows the host's memory"),
    Rule("sysctl.kernel.max_lock_depth", MOMENT),
    Rule("sysctl.user.max_*", "follows the host's memory"),
    Rule("sysctl.net.ipv4.tcp_mem", "follows the host's memory"),
    Rule("sysctl.net.ipv4.udp_mem", "follows the host's memory"),
    Rule("sysctl.net.ipv4.tcp_fastopen_key", IDENTITY),
    Rule("sysctl.vm.min_free_kbytes", "follows the host's memory"),
    Rule("sysctl.vm.*_kbytes", "follows the host's memory, where it is not set"),
    Rule("audit.pid", NUMBERED),
    Rule("audit.lost", MOMENT),
    Rule("audit.backlog", MOMENT),
    Rule("audit.backlog_wait_time_actual", MOMENT),
    Rule("dbus.names.*.pid", NUMBERED),
    Rule("dbus.names.org.freedesktop.*", ON_DEMAND),
    Rule("dbus.policies.*.rules", "the digest of the file says it shorter"),
    Rule("files.*.size", "the digest says it better; sizes of folders and logs are chance"),
    Rule("files.*.listed", COLLECTOR),
    Rule("files./etc/audit/audit.rules.prev*", "what was loaded before, which depends on how often rules were"),
    Rule("files./boot/efi/loader/random-seed*", "the boot loader writes a new one at every boot"),
    Rule("files./var/log/*", "which logs there are depends on the moment; the folder itself stays"),
    Rule("network.listeners.*.pid", NUMBERED),
    Rule("kernel.modules", ON_DEMAND),
    Rule("kernel.vulnerabilities.*", HOST),
    Rule("journal.denials", "their text holds times and process ids; their number is judged by a control"),
    Rule("journal.denials_*", MOMENT),
    Rule("journal.unit_warnings_total", "the warnings themselves are compared"),
)

# Of a unit's properties: what systemd counts, times or numbers at run time.
PROPERTIES_LEFT_OUT = re.compile(
    r".*Timestamp(Monotonic)?|(Main|Control|ExecMain)PID|.*USec(Monotonic|Realtime)|InvocationID|Exec(Main|Condition|Start).*(Code|Status)|"
    r"Memory(Current|Peak|Available|SwapCurrent|SwapPeak|ZSwapCurrent)|Effective(Memory|Tasks).*|CPUUsageNSec|"
    r"TasksCurrent|IP(In|E)gress(Bytes|Packets)|IO(Read|Write)(Bytes|Operations)|ControlGroupId|"
    r"NFileDescriptorStore|StatusText|StatusErrno|Job|JobTimeout.*Actual|NRestarts|NConnections|NAccepted|UID|GID|"
    r"LastTrigger.*|NextElapse.*|TimersMonotonic|TimersCalendar|"
    r"ActivationDetails|Refs|CanLiveMount|Perpetual|DefaultMemory.*|ManagedOOM.*Actual|ExtensionImagePolicyActual"
)
PROPERTIES_REASON = "systemd counts, times or numbers it at run time"
# Lists whose order means nothing: units follow the order of loading, addresses that of a hash table.
_UNORDERED = (
    "After Before Requires Requisite Wants BindsTo PartOf Upholds RequiredBy RequisiteOf WantedBy BoundBy UpheldBy "
    "ConsistsOf Conflicts ConflictedBy Triggers TriggeredBy RequiresMountsFor WantsMountsFor SliceOf Names OnSuccess "
    "OnFailure References ReferencedBy PropagatesReloadTo ReloadPropagatedFrom JoinsNamespaceOf IPAddressAllow "
    "IPAddressDeny RestrictAddressFamilies SystemCallFilter SystemCallArchitectures"
)
UNORDERED = frozenset(_UNORDERED.split())
_RUN = re.compile(r" ; start_time=.*?(?= \}|$)")
"""The end of an Exec… property: when it last ran, as which process, with which end."""
_PASSING = re.compile(
    r"(user|session|run-user|user-runtime-dir)[@-].*|run-.*\.(mount|scope)|/run/user(/.*)?|/run/credentials/.*"
)
"""Units, mounts and paths that log-ins bring, and credentials that are only mounted while a unit starts."""
DEFAULT = "(the default, which follows the machine's memory)"
AUTOMOUNTED = "/proc/sys/fs/binfmt_misc"
"""Mounted when somebody looks, so there or not by chance."""
# Lists of objects become dictionaries, keyed by what tells the objects apart.
KEYED: dict[str, tuple[str, ...]] = {
    "dbus.policies": ("file",),
    "network.listeners": ("protocol", "address", "port"),
}


def _passing(name: str) -> bool:
    return bool(_PASSING.fullmatch(name)) or name == AUTOMOUNTED


def _property(name: str, value: str) -> str | None:
    """A unit's property as it compares; None when it does not."""
    if PROPERTIES_LEFT_OUT.fullmatch(name):
        return None
    if name in UNORDERED:
        return " ".join(sorted(word for word in value.split() if not _passing(word)))
    return _RUN.sub("", value) if name.startswith("Exec") else value


def _programs(programs: list[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Programs by name: their ids, tags, counts and holders are of the moment, their kind and loader are not."""
    found: dict[str, set[str]] = {}
    for one in programs:
        loader = "root" if one.get("loaded_uid") == 0 else "not root"
        kind = f"{one.get('type')}, loaded by {loader}, {'linked' if one.get('linked') else 'not linked'}"
        found.setdefault(str(one.get("name")), set()).add(kind)
    return {name: sorted(kinds) for name, kinds in sorted(found.items())}


def _mounts(mounts: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Mounts of one process by mount point; the last on a point is the one that counts."""
    return {str(one.get("point")): {key: one[key] for key in one if key != "point"} for one in mounts}


def _reshaped(path: str, value: Any) -> Any:
    """The value with its lists of objects keyed, and its properties cleaned."""
    if path == "bpf" and isinstance(value, Mapping):
        return {"programs": _programs(value.get("programs") or [])}
    if path in KEYED and isinstance(value, list):
        return {"/".join(str(one.get(key)) for key in KEYED[path]): one for one in value}
    if path.endswith(".process.mounts") and isinstance(value, list):
        return _mounts(value)
    if fnmatchcase(path, "units.*.properties") and isinstance(value, Mapping):
        cleaned = {name: _property(name, str(text)) for name, text in value.items()}
        return {name: text for name, text in cleaned.items() if text is not None}
    return value


_LEFT_OUT = re.compile("|".join(translate(rule.pattern) for rule in LEFT_OUT))


def reason(path: str) -> str:
    """Why the fact at this dotted path is left out; empty when it is compared."""
    return next((rule.reason for rule in LEFT_OUT if fnmatchcase(path, rule.pattern)), "")


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    value = _reshaped(path, value)
    if _LEFT_OUT.match(path):
        return
    if isinstance(value, Mapping) and (value or not path):
        for key in sorted(value, key=str):
            if not _passing(str(key)):
                yield from _flat(f"{path}.{key}" if path else str(key), value[key])
    elif isinstance(value, list) and all(isinstance(one, str) for one in value):
        yield path, [one for one in value if not _passing(one)]
    else:
        yield path, value


def stable(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted path to value, of everything that should be the same on two machines made alike."""
    defaults = _defaults(facts)
    return {
        path: DEFAULT if path.startswith("units.") and value == defaults.get(path.rpartition(".")[2], "") else value
        for path, value in _flat("", facts)
    }


def _defaults(facts: Mapping[str, Any]) -> dict[str, str]:
    """Limits of a unit that sets none: systemd and the kernel take them from the machine's memory."""
    threads = str((facts.get("sysctl") or {}).get("kernel.threads-max", ""))
    if not threads.isdecimal():
        return {}
    half = dict.fromkeys(("LimitNPROC", "LimitNPROCSoft", "LimitSIGPENDING", "LimitSIGPENDINGSoft"), int(threads) // 2)
    return {name: str(number) for name, number in {**half, "TasksMax": int(threads) * 15 // 100}.items()}
