"""What can be broken in a machine, as plain data: the shapes of sabotage that layers derive and controls may name.

Nothing here does anything. The engine (`validate/falsify`) sends these to a throw-away machine as JSON, and one
script there knows each kind by its word in `do`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from results.base.strict import Strict

World = Literal["running", "boot", "unlocked"]
"""Where it can be done: in the running machine, only across a boot, or where the audit rules are not locked."""

BOOT = "boot"
"""In `then`: comes into force at the next boot."""

Then = Annotated[str, Field(pattern=r"^(boot|daemon-reload|(profile|reload|restart) \S+)$")]
"""What has to happen before the change is in force: `profile /etc/apparmor.d/x` loads that file again."""


class Action(Strict):
    """One change; `then` comes after all changes of a group, each thing once."""

    then: tuple[Then, ...] = ()


class Write(Action):
    """Put a file in place, whatever was there."""

    do: Literal["write"] = "write"
    path: str
    content: str
    mode: str = "0644"
    unlocks: bool = False
    """Once it is in force, the audit rules can be changed."""


class Append(Action):
    """Add to a file, which comes into being where there is none."""

    do: Literal["append"] = "append"
    path: str
    content: str


class Edit(Action):
    """Replace a text wherever the file has it; the file has to have it."""

    do: Literal["edit"] = "edit"
    path: str
    old: str
    new: str


class Garble(Action):
    """Change the first letter of a text wherever the file has it; nothing moves, so a program still runs."""

    do: Literal["garble"] = "garble"
    path: str
    text: str = Field(min_length=1)


class Remove(Action):
    """Take a file away, or a folder with all that is in it."""

    do: Literal["remove"] = "remove"
    path: str


class Chmod(Action):
    """Open a path (a glob: every match) to others, or give it away."""

    do: Literal["chmod"] = "chmod"
    path: str
    mode: str = ""
    owner: str = ""
    group: str = ""


class FileCapability(Action):
    """Let a program's file carry a capability."""

    do: Literal["file_capability"] = "file_capability"
    path: str


class SetSysctl(Action):
    """Set a kernel setting, now and for the next boot, to the first of `values` that the kernel takes."""

    do: Literal["sysctl"] = "sysctl"
    name: str
    values: tuple[str, ...] = Field(min_length=1)


class DropIn(Action):
    """Directives that come behind all others of the unit; it is restarted with them, unless it need not be."""

    do: Literal["drop_in"] = "drop_in"
    unit: str
    restart: bool = True
    section: str = "Service"
    directives: dict[str, str]


class ChangeAccount(Action):
    """Another password field, another shell, one more group; empty text (`none` for the password) changes nothing."""

    do: Literal["account"] = "account"
    user: str
    password: str | None = None
    shell: str = ""
    group: str = ""


class Audit(Action):
    """Lines for `auditctl -R`; only where the rules are not locked."""

    do: Literal["audit"] = "audit"
    lines: tuple[str, ...]


class KernelWords(Action):
    """Another kernel command line, in every entry of the boot loader."""

    do: Literal["kernel_words"] = "kernel_words"
    remove: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    then: tuple[Then, ...] = (BOOT,)


class Complain(Action):
    """Load an AppArmor profile so that it only complains."""

    do: Literal["complain"] = "complain"
    path: str


class LoadModules(Action):
    """Load as many of these modules as the kernel has, past every rule of modprobe."""

    do: Literal["load_modules"] = "load_modules"
    modules: tuple[str, ...]


class Stop(Action):
    """Stop a unit (a glob: every match)."""

    do: Literal["stop"] = "stop"
    unit: str


class Run(Action):
    """Run a program of the machine; `fails`: it is meant to be refused."""

    do: Literal["run"] = "run"
    argv: tuple[str, ...] = Field(min_length=1)
    fails: bool = False


class Listen(Action):
    """A process that listens on a TCP port of every address."""

    do: Literal["listen"] = "listen"
    port: int = Field(ge=1, le=65535)


class OwnName(Action):
    """A process of root that takes a name on the system bus, after its unit was stopped."""

    do: Literal["own_name"] = "own_name"
    name: str
    unit: str


AnyAction = Annotated[
    Write
    | Append
    | Edit
    | Garble
    | Remove
    | Chmod
    | FileCapability
    | SetSysctl
    | DropIn
    | ChangeAccount
    | Audit
    | KernelWords
    | Complain
    | LoadModules
    | Stop
    | Run
    | Listen
    | OwnName,
    Field(discriminator="do"),
]
ACTIONS: TypeAdapter[tuple[AnyAction, ...]] = TypeAdapter(tuple[AnyAction, ...])


@dataclass(frozen=True)
class Sabotage:
    """How one control is broken."""

    control: str
    actions: tuple[AnyAction, ...]

    @property
    def then(self) -> tuple[str, ...]:
        """Everything that has to happen before it is in force, each once."""
        return tuple(dict.fromkeys(step for action in self.actions for step in steps_of(action)))

    @property
    def world(self) -> World:
        """Where it can be done."""
        if BOOT in self.then:
            return "boot"
        return "unlocked" if any(isinstance(action, Audit) for action in self.actions) else "running"

    @property
    def unlocks(self) -> bool:
        """Whether audit rules can be changed once it is in force."""
        return any(isinstance(action, Write) and action.unlocks for action in self.actions)

    def to_json(self) -> list[dict[str, Any]]:
        """The changes, as the machine's script takes them."""
        return [{"control": self.control, **action.model_dump(exclude={"then"})} for action in self.actions]

    @property
    def words(self) -> str:
        """What is done, in short."""
        return "; ".join(told(action) for action in self.actions)


def instances(unit: str) -> str:
    """What `systemctl restart` takes for a unit: a template stands for its instances."""
    return unit.replace("@.", "@*.")


def steps_of(action: Action) -> tuple[str, ...]:
    """What brings one change into force."""
    if isinstance(action, DropIn):
        restart = (f"restart {instances(action.unit)}",) if action.restart else ()
        return (*action.then, "daemon-reload", *restart)
    return action.then


def told(action: AnyAction) -> str:
    """One change in words."""
    values = action.model_dump(exclude={"then", "do", "unlocks"})
    if isinstance(action, DropIn):
        return f"{action.unit}: " + ", ".join(f"{key}={value}" for key, value in action.directives.items())
    if isinstance(action, (Write, Append)):
        values["content"] = f"({len(action.content)} characters)"
    kept = {key: value for key, value in values.items() if value not in ("", None, (), False)}
    return f"{action.do} " + " ".join(f"{key}={_text(value)}" for key, value in kept.items())


def _text(value: Any) -> str:
    return " ".join(value) if isinstance(value, (tuple, list)) else str(value)
