"""The shape of facts.json, section by section. It is the contract between the collector and the controls.

Every section is present, or `errors` says why it is not. `errors` maps a dotted path (a section, or something
in it) to the reason why it could not be looked at. `null` means: looked at, and there is none.
"""

from __future__ import annotations

from pydantic import ConfigDict, Field

from results.base.strict import Strict

SCHEMA = 1


class Open(Strict):
    """A section that later collectors may add to."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)


class MachineFacts(Open):
    """Which machine and which boot; `state` is systemd's own word, `uptime` seconds, `failed` units."""

    hostname: str
    os: dict[str, str]
    kernel: str
    architecture: str
    boot_id: str
    machine_id: str
    cmdline: list[str]
    uptime: float
    state: str
    failed: list[str]
    python: str
    clock: dict[str, bool]


class MountFacts(Open):
    """One mount: its own options, and those of its file system."""

    point: str = ""
    options: list[str]
    type: str
    source: str
    super: list[str]


class ProcessFacts(Open):
    """A unit's main process. `uid` and `gid` are real, effective, saved and file system id, as names."""

    pid: int
    uid: list[str]
    gid: list[str]
    user: str
    group: str
    groups: list[str]
    cap_eff: list[str]
    cap_bnd: list[str]
    cap_amb: list[str]
    cap_inh: list[str]
    cap_prm: list[str]
    no_new_privs: str
    seccomp: str
    seccomp_filters: str | None
    umask: str | None
    apparmor: str | None
    exe: str
    command: list[str]
    mounts: list[MountFacts]
    writable: list[str]
    writable_kernel: list[str]
    namespaces: list[str]
    fds: list[str]
    threads: int
    limits: dict[str, dict[str, str]]
    memory: dict[str, int]
    oom_score_adj: int


class UnitFacts(Open):
    """One unit; `properties` are all that `systemctl show` knows, as text. No process: null."""

    properties: dict[str, str]
    process: ProcessFacts | None
    dropins: list[str]
    drop_errors: list[str] = Field(default_factory=list)


class ConfiguredFacts(Open):
    """One parameter as the files in sysctl.d ask for it; `lenient`: failing to set it is tolerated."""

    value: str
    file: str
    lenient: bool


class AuditFacts(Open):
    """The kernel's audit, with all that `auditctl -s` tells; `rules` as `auditctl -l` prints them."""

    enabled: int
    pid: int
    lost: int
    backlog_limit: int
    failure: int
    rules: list[str]
    keys: list[str]


class AppArmorFacts(Open):
    """Loaded profiles and their modes; `attachments` (attach, mode, sha256) of the product's alone."""

    enabled: bool
    profiles: dict[str, str]
    attachments: dict[str, dict[str, str | None]]


class RuleFacts(Open):
    """One rule of a bus policy; besides these, the attribute that says for whom: context, user, group, at_console."""

    rule: str
    attributes: dict[str, str]


class PolicyFacts(Open):
    """One policy file."""

    file: str
    sha256: str
    rules: list[RuleFacts]


class BusFacts(Open):
    """The system bus; `members` are the product's methods by interface, as introspected."""

    names: dict[str, dict[str, str | int | None]] = Field(default_factory=dict)
    policies: list[PolicyFacts]
    product_rules: list[RuleFacts]
    activation: dict[str, dict[str, str]]
    members: dict[str, list[str]] = Field(default_factory=dict)


class UserFacts(Open):
    """One user; `password` is none, empty, locked or set; `groups` include the primary one."""

    uid: int
    gid: int
    home: str
    shell: str
    password: str
    groups: list[str]


class GroupFacts(Open):
    """One group and whom /etc/group lists in it."""

    gid: int
    members: list[str]


class AccountFacts(Open):
    """All accounts of the machine's own files."""

    users: dict[str, UserFacts]
    groups: dict[str, GroupFacts]


class FileFacts(Open):
    """One path; `mode` is octal with four digits, `sha256` bare hexadecimal, null where none was taken.

    `listed`: a folder, and all that is in it is in `files` as well (null for what is no folder).
    """

    type: str
    mode: str
    owner: str
    group: str
    size: int
    sha256: str | None
    listed: bool | None = None
    target: str | None


class ProgramFacts(Open):
    """One eBPF program; `linked`: a link attaches it; `holders`: processes that hold a descriptor of it."""

    id: int
    name: str
    type: str
    loaded_uid: int
    run_cnt: int | None
    holders: list[int]
    linked: bool


class LinkFacts(Open):
    """One attachment of an eBPF program."""

    id: int
    type: str
    program: int
    holders: list[int]


class BpfFacts(Open):
    """All that the kernel holds for eBPF."""

    programs: list[ProgramFacts]
    links: list[LinkFacts]


class ListenerFacts(Open):
    """One listening socket; `protocol` is tcp, tcp6, udp or udp6."""

    protocol: str
    address: str
    port: int
    uid: int
    user: str
    pid: int | None
    exe: str | None


class NetworkFacts(Open):
    """Listening sockets, those not on loopback as `tcp/22`, and nftables' rules (null: not installed).

    `chains` and `sets` are the same rules by table and name; `unfiltered` are accounts that the product's sets lack.
    """

    listeners: list[ListenerFacts]
    exposed: list[str]
    nft: str | None
    chains: dict[str, list[str]] = Field(default_factory=dict)
    sets: dict[str, list[str]] = Field(default_factory=dict)
    unfiltered: list[str] = Field(default_factory=list)


class KernelFacts(Open):
    """What protects the kernel from its own users."""

    lockdown: str | None
    lsm: list[str]
    taint: int | None
    modules_disabled: bool
    cap_last_cap: int | None
    module_signatures_enforced: bool | None
    modules: list[str]
    efi: bool
    secure_boot: bool | None
    vulnerabilities: dict[str, str]


class JournalFacts(Open):
    """This boot's AppArmor denials of the product's profiles, and systemd's complaints about unit files."""

    persistent: bool
    denials: list[str]
    denials_total: int
    denials_elsewhere: int
    unit_warnings: list[str]
    unit_warnings_total: int


class Facts(Strict):
    """The whole of facts.json. A section is None only when `errors` names it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    schema_version: int = Field(alias="schema")
    collector: str = ""
    seconds: float
    section_seconds: dict[str, float]
    errors: dict[str, str]
    exposure: dict[str, float] | None = None
    machine: MachineFacts | None = None
    units: dict[str, UnitFacts] | None = None
    sysctl: dict[str, str] | None = None
    sysctl_configured: dict[str, ConfiguredFacts] | None = None
    sysctl_unapplied: list[str] | None = None
    audit: AuditFacts | None = None
    apparmor: AppArmorFacts | None = None
    dbus: BusFacts | None = None
    accounts: AccountFacts | None = None
    login: dict[str, str] | None = None
    sudoers: list[str] | None = None
    files: dict[str, FileFacts | None] | None = None
    setuid: dict[str, str] | None = None
    file_caps: dict[str, str] | None = None
    world_writable: list[str] | None = None
    bpf: BpfFacts | None = None
    network: NetworkFacts | None = None
    kernel: KernelFacts | None = None
    mounts: dict[str, MountFacts] | None = None
    loader: dict[str, str] | None = None
    sshd: dict[str, str] | None = None
    journal: JournalFacts | None = None
