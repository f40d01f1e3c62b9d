"""Code inside a unit's own sandbox. Standard library only; runs as root in the machine.

A transient unit, the twin, has the same fragment and drop-ins and another ExecStart.

The profile cannot be put on at exec, since it does not allow the interpreter. So systemd's part (user, capabilities,
seccomp, namespaces, mounts, limits, IP filter) is put on by systemd as ever, and each attempt then enters the profile
by itself (`changeprofile`) in a forked child, after everything that it imports has been imported. What was really on
is read back from the kernel and stands in the evidence.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from validate.guest import system
from validate.guest.identity import Ended
from validate.guest.probing import REGISTRY, Spec, World, attempted, bounded, record

FOLDER = "/run/systemd/system"
ANSWERS = "/run/dots-probes"
CURRENT = "/proc/self/attr/apparmor/current"
INTERPRETER = "/usr/bin/python3"
LAST_DROPIN = "zzzz-probe.conf"

# What makes the unit a service of its own, and nothing of what confines it. The empty assignments take back lists. An
# attempt that is killed for its memory must not end the others with it.
OVERRIDE = """[Unit]
OnFailure=
[Service]
Type=exec
PIDFile=
ExecCondition=
ExecStartPre=
ExecStartPost=
ExecStop=
ExecStopPost=
ExecReload=
ExecStart=
ExecStart={interpreter} -I -
Restart=no
WatchdogSec=0
TimeoutStartSec={seconds}
RuntimeMaxSec={seconds}
StandardInput=data
StandardInputData={source}
StandardOutput=truncate:{answer}
StandardError=truncate:{answer}.error
RuntimeDirectoryPreserve=yes
OOMPolicy=continue
AppArmorProfile=
{more}
"""

PROPERTIES = ("FragmentPath", "DropInPaths", "AppArmorProfile", "NoExecPaths", "ExecPaths", "RootDirectory")


class Twin(NamedTuple):
    """A transient unit: its name, the file of its answer, and notes on what could not be the same."""

    name: str
    answer: str
    notes: list[str]


def transient(world: World, key: str, source: str, seconds: float) -> Twin:
    """Write the twin of unit `key` under /run."""
    original = world.unit(key)
    facts = system.show([original], PROPERTIES)[0]
    instance = "@" + original.split("@", 1)[1].rsplit(".", 1)[0] if "@" in original else ""
    stem = f"dots-probe-{key}"
    name, template = f"{stem}{instance}.service", f"{stem}{'@' if instance else ''}.service"
    folder = f"{FOLDER}/{template}.d"
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    os.makedirs(ANSWERS, mode=0o700, exist_ok=True)  # noqa: PTH103
    copy(facts["FragmentPath"], f"{FOLDER}/{template}")
    for number, path in enumerate(facts["DropInPaths"].split()):
        copy(path, f"{folder}/{number:04}-{os.path.basename(path)}")  # noqa: PTH119
    notes, more = [], ""
    if facts.get("NoExecPaths"):
        notes.append("python3 was added to ExecPaths=")
        more = f"ExecPaths={os.path.realpath(INTERPRETER)} {INTERPRETER} /usr/lib\n"
    answer = f"{ANSWERS}/{key}"
    text = OVERRIDE.format(
        interpreter=INTERPRETER,
        seconds=int(seconds),
        source=base64.b64encode(source.encode()).decode(),
        answer=answer,
        more=more,
    )
    with open(f"{folder}/{LAST_DROPIN}", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    return Twin(name, answer, notes)


def copy(source: str, target: str) -> None:
    """Copy a unit file, but for the bus name: one name belongs to one unit, and cannot be taken back by a drop-in."""
    with open(source, "rb") as original, open(target, "wb") as file:  # noqa: PTH123
        file.writelines(line for line in original if not line.lstrip().startswith(b"BusName="))


def answer_of(twin: Twin) -> list[dict[str, Any]]:
    """What a twin that is over has written. Raises `OSError` with why there is nothing."""
    try:
        found = json.loads(system.read(twin.answer, 1 << 20))
        for one in found:
            one["evidence"] = bounded([*twin.notes, *one["evidence"]])
        return list(found)
    except (OSError, ValueError, KeyError, TypeError):
        state = system.show([twin.name], ["ActiveState", "Result", "ExecMainStatus"])
        said = system.read(f"{twin.answer}.error", 2000) if os.path.exists(f"{twin.answer}.error") else ""  # noqa: PTH110
        raise OSError(f"{twin.name} gave no answer: {state} {said[-300:]}") from None


def take_away(twins: Sequence[Twin]) -> None:
    """Remove the twins again, whatever state they are in."""
    names = [twin.name for twin in twins]
    system.command("systemctl", "kill", "--signal=SIGKILL", *names)
    for name in names:
        stem = name.split("@", 1)[0] + "@.service" if "@" in name else name
        with suppress(OSError):
            os.unlink(f"{FOLDER}/{stem}")  # noqa: PTH108
        shutil.rmtree(f"{FOLDER}/{stem}.d", ignore_errors=True)
    shutil.rmtree(ANSWERS, ignore_errors=True)
    system.command("systemctl", "reset-failed", *names)
    system.command("systemctl", "daemon-reload")


def enter(profile: str) -> str:
    """Enter an AppArmor profile, for good. Returns what went wrong in words; empty when nothing did."""
    try:
        with open(CURRENT, "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(f"changeprofile {profile}")
    except OSError as error:
        return f"profile {profile} was NOT entered: {error.strerror}"
    return ""


def label_inside(profile: str) -> str:
    """What the kernel says that a process is confined by after `enter`: asked from outside of the profile.

    From inside it cannot be asked, since the profile does not let its process read /proc/self/attr.
    """
    if not profile:
        return "no such profile is loaded"
    ask, answer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(answer, enter(profile).encode() or b"entered")
            time.sleep(30)
        finally:
            os._exit(0)
    try:
        said = os.read(ask, 1000).decode(errors="backslashreplace")
        label = system.read(f"/proc/{pid}/attr/apparmor/current").strip()
    except OSError as error:
        return f"unknown: {error.strerror}"
    finally:
        os.close(ask)
        os.close(answer)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return label if said == "entered" else said


def confinement(label: str) -> str:
    """One line of evidence: what the kernel says that we are confined by."""
    status = system.status_of(os.getpid())
    parts = {
        "uid": status.get("Uid", "").split("\t")[0],
        "CapEff": status.get("CapEff"),
        "NoNewPrivs": status.get("NoNewPrivs"),
        "Seccomp": status.get("Seccomp"),
        "AppArmor": label,
    }
    return "sandbox: " + " ".join(f"{key}={value}" for key, value in parts.items())


def attempt_inside(world: World, spec: Spec, profile: str, label: str) -> list[Any]:
    """One probe in this very process, under the profile: for a forked child of the twin."""
    confined = confinement(label)  # read while /proc may still be read
    problem = enter(profile) if profile else ""
    succeeded, evidence = attempted(spec, world)
    return [succeeded, [*evidence, confined, *([problem] if problem else [])]]


def run_here(world: World, names: Sequence[str], profile: str) -> list[dict[str, Any]]:
    """The twin's own part: every probe in a forked child that enters the profile."""
    answers, label = [], label_inside(profile)
    for name in names:
        spec = REGISTRY[name]
        started = time.monotonic()
        ended = world.as_(None, attempt_inside, world, spec, profile, label, seconds=spec.seconds)
        answers.append(record(name, ended, time.monotonic() - started))
    return answers


INSIDE = """
import importlib, json, sys
order = json.loads({order!r})
for name in order["modules"]:
    importlib.import_module(name)
from validate.guest import probing, sandbox
answers = sandbox.run_here(probing.World(*order["world"]), order["probes"], order["profile"])
sys.stdout.write(json.dumps(answers))
sys.stdout.flush()
"""


def script(world: World, prelude: str, modules: Sequence[str], names: Sequence[str], profile: str) -> str:
    """What the twin runs; `prelude` brings all our modules along."""
    order = {"modules": list(modules), "world": list(world), "probes": list(names), "profile": profile}
    return prelude + INSIDE.format(order=json.dumps(order))


def loaded(profile: str) -> str:
    """The profile's name if the kernel holds it, else nothing."""
    try:
        known = system.read("/sys/kernel/security/apparmor/profiles", 1 << 20)
    except OSError:
        return ""
    return profile if any(line.rsplit(" (", 1)[0] == profile for line in known.splitlines()) else ""


def run_all(
    world: World, groups: dict[str, list[str]], prelude: str, modules: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Run probes in the sandboxes of their units, all twins side by side; records by probe.

    A twin that does not come up breaks each of its probes, in words.
    """
    seconds = world.patience(40 + sum(REGISTRY[name].seconds for names in groups.values() for name in names) / 4)
    twins: dict[str, Twin] = {}
    answers: dict[str, dict[str, Any]] = {}
    try:
        for key, names in groups.items():
            profile = loaded(str(world.product["units"][key]["apparmor"]))
            twins[key] = transient(world, key, script(world, prelude, modules, names, profile), seconds)
        system.command("systemctl", "daemon-reload", seconds=seconds, check=True)
        system.command("systemctl", "start", *(twin.name for twin in twins.values()), seconds=seconds)
        system.until(lambda: over(twins.values()), seconds=seconds, every=0.3)
    except (OSError, LookupError, subprocess.TimeoutExpired) as error:
        answers = broken(groups, f"{type(error).__name__}: {error}")
    for key, twin in twins.items():
        try:
            answers.update({one["id"]: one for one in answer_of(twin)})
        except OSError as error:
            answers = {**broken({key: groups[key]}, str(error)), **answers}
    take_away(list(twins.values()))
    return answers


def over(twins: Iterable[Twin]) -> bool:
    """Whether none of the twins runs any more."""
    states = system.show([twin.name for twin in twins], ["ActiveState"])
    return all(one.get("ActiveState") in ("inactive", "failed") for one in states)


def broken(groups: dict[str, list[str]], why: str) -> dict[str, dict[str, Any]]:
    """Records for probes that could not be tried."""
    names = [name for group in groups.values() for name in group]
    return {name: record(name, Ended(None, f"no sandbox: {why}", 0.0), 0.0) for name in names}
