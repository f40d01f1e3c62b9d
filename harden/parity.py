"""Debian's rendering and NixOS's option values, setting by setting, in one form. Pure: no file, no Nix.

A setting is a key such as `unit/dots-family-daemon/Service/ProtectSystem` with its value as text. Where the
place tells nothing beyond the setting itself (an audit rule, a line of an AppArmor profile), the key holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harden.tree import Tree, TreeFile
from results.base.strict import Strict, load_yaml

DIFFERENCES = Path(__file__).parent.parent / "nix" / "differences.yaml"

Settings = dict[str, str]


class Difference(Strict):
    """One intended difference: the key, which side has it (or has it otherwise), and why."""

    key: str
    only: Literal["debian", "nixos", "both"]
    """`both`: both have the key, with different values."""
    reason: str = Field(min_length=20)


class Differences(Strict):
    """`nix/differences.yaml`."""

    differences: tuple[Difference, ...]


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _lines(text: str, comments: tuple[str, ...] = ("#",)) -> Iterator[str]:
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith(comments):
            yield stripped


def _profile(name: str, text: str) -> Settings:
    # `include` is no comment; `#include` would be one for us, and our templates have none.
    return {f"apparmor/{name}/{line}": "set" for line in _lines(text)}


def _drop_in(path: str, text: str) -> Settings:
    unit = path.split("/")[-2].removesuffix(".service.d")
    section = ""
    made: Settings = {}
    for line in _lines(text):
        if line.startswith("["):
            section = line.strip("[]")
            continue
        name, _, value = line.partition("=")
        key = f"unit/{unit}/{section}/{name}"
        made[key] = f"{made[key]} | {value}" if key in made else value
    return made


def _pairs(layer: str, text: str, separator: str) -> Settings:
    parts = (line.partition(separator) for line in _lines(text) if not line.startswith("["))
    return {f"{layer}/{name.strip()}": value.strip() for name, _, value in parts}


def _rotation(text: str) -> Settings:
    words = [line.strip().partition(" ") for line in text.splitlines() if re.match(r" {4}[a-z]", line)]
    made = {f"logrotate/{name}": value or "yes" for name, _, value in words}
    made |= {f"logrotate/file {line.removesuffix(' {')}": "set" for line in text.splitlines() if line.startswith("/")}
    script = [line.strip() for line in text.splitlines() if line.startswith(" " * 8)]
    made["logrotate/postrotate"] = "\n".join(script)
    made.pop("logrotate/endscript", None)
    return made


def _owned(text: str) -> list[str]:
    """Lines behind the comment that names a control; what stands before is the distribution's own."""
    lines = text.splitlines()
    first = next((number for number, line in enumerate(lines) if re.match(r"# [a-z]+\.[a-z-]+: ", line)), 0)
    return list(_lines("\n".join(lines[first:])))


def _limit(line: str) -> tuple[str, str]:
    limit, _, value = line.rpartition(" ")
    return f"limits/{limit}", value


def _base(path: str, text: str) -> Settings:
    """Files of the base system; nothing for any other."""
    if path == "/etc/login.defs":
        return {f"login/{name}": value for name, _, value in (line.partition(" ") for line in _owned(text))}
    if "/profile.d/" in path:
        return {f"shell/{line}": "set" for line in _owned(text)}
    if "/limits.d/" in path:
        return dict(_limit(line) for line in _owned(text))
    if "/coredump.conf.d/" in path:
        return _pairs("coredump", text, "=")
    return {f"greeting{path}": text} if path.startswith("/etc/issue") else {}


def _file(file: TreeFile) -> Settings:  # noqa: PLR0911 - one line for each kind of file
    path, text = file.path, file.content.decode()
    if "/apparmor.d/" in path:
        return _profile(path.rpartition("/")[2], text)
    if "/audit/" in path:
        return {"audit/lock" if line == "-e 2" else f"audit/{line}": "set" for line in _lines(text)}
    if re.search(r"\.(service|slice|target)\.d/", path) and "sysinit" not in path:
        return _drop_in(path, text)
    if "/sysctl.d/" in path:
        return _pairs("tuning" if path.endswith("-tuning.conf") else "sysctl", text, "=")
    if "/tmpfiles.d/" in path:  # noqa: S108 - a folder of settings
        return {f"mode/{line}": "set" for line in _lines(text)}
    if "/modprobe.d/" in path:
        return {f"module/{line}": "set" for line in _lines(text)}
    if "/sshd_config.d/" in path:
        return _pairs("sshd", text, " ")
    if "/journald.conf.d/" in path:
        return _pairs("journal", text, "=")
    if "/logrotate.d/" in path:
        return _rotation(text)
    kinds = {"/polkit-1/": "polkit", "/dbus-1/system.d/": "bus", "/dbus-1/system-services/": "activation"}
    kinds["/dbus-1/session.d/"] = "session"
    found = [name for part, name in kinds.items() if part in path]
    return {f"text/{found[0] if found else path}": text.strip()}


def debian(tree: Tree) -> Settings:
    """Every setting that a Debian machine gets."""
    made: Settings = {}
    for file in tree.files:
        made |= _base(file.path, file.content.decode()) or _file(file)
    return made | {f"kernel/{word}": "set" for word in tree.kernel_parameters}


def _listed(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else _word(value)


def _joined(value: Any) -> str:
    return " | ".join(_word(one) for one in value) if isinstance(value, list) else _word(value)


def _units(services: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for unit, service in services.items():
        for section, option in (("Service", "serviceConfig"), ("Unit", "unitConfig")):
            for name, value in service[option].items():
                yield f"unit/{unit}/{section}/{name}", _joined(value)


def _nixos_base(file: Mapping[str, Any]) -> Settings:
    made: Settings = {f"login/{name}": value for name, value in file["security"]["loginDefs"]["settings"].items()}
    made |= {f"shell/{line}": "set" for line in _lines(file["environment"]["shellInit"])}
    for one in file["security"]["pam"]["loginLimits"]:
        made[f"limits/{one['domain']} {one['type']} {one['item']}"] = one["value"]
    for name, etc in file["environment"]["etc"].items():
        made |= _base(f"/etc/{name}", etc["text"])
    return made


def _nixos_files(layers: Mapping[str, Any], texts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    yield from _nixos_base(layers["file"]).items()
    yield "text/polkit", layers["file"]["security"]["polkit"]["extraConfig"].strip()
    yield "text/bus", texts["bus"].strip()
    yield "text/activation", texts["activation"].strip()
    yield "text/session", texts["session"].strip()
    for rotation in layers["file"]["services"]["logrotate"]["settings"].values():
        for name, value in rotation.items():
            if name == "files":
                yield from ((f"logrotate/file {path}", "set") for path in value)
            else:
                yield f"logrotate/{name}", _word(value)


def nixos(result: Mapping[str, Any]) -> Settings:
    """Every setting in what `nix/lib/policy.nix` evaluates to; accounts apart, which packages make on Debian."""
    layers = result["layers"]
    audit = layers["audit"]["security"]["audit"]
    made: Settings = dict(_units(layers["unit"]["systemd"]["services"]))
    for layer in ("sysctl", "tuning"):
        made |= {f"{layer}/{name}": _word(value) for name, value in layers[layer]["boot"]["kernel"]["sysctl"].items()}
    for name, policy in layers["apparmor"]["security"]["apparmor"]["policies"].items():
        made |= _profile(name, policy["profile"])
    made |= {f"audit/{rule}": "set" for rule in audit["rules"]}
    made |= {"audit/lock": "set"} if audit["enable"] == "lock" else {}
    made |= {f"kernel/{word}": "set" for word in layers["kernel"]["boot"]["kernelParams"]}
    made |= {f"mode/{rule}": "set" for rule in layers["mode"]["systemd"]["tmpfiles"]["rules"]}
    made |= {f"module/{line}": "set" for line in _lines(layers["module"]["boot"]["extraModprobeConfig"])}
    made |= {
        f"sshd/{name}": _listed(value) for name, value in layers["sshd"]["services"]["openssh"]["settings"].items()
    }
    for file in layers["journal"]["environment"]["etc"].values():
        made |= _pairs("journal", file["text"], "=")
    made |= {f"text//etc/{path}": one["text"].strip() for path, one in layers["nft"]["environment"]["etc"].items()}
    return made | dict(_nixos_files(layers, result["texts"]))


def load_differences(path: Path = DIFFERENCES) -> tuple[Difference, ...]:
    """The intended differences. Raises `UsageError`."""
    read: Differences = load_yaml(path, Differences)
    return read.differences


def found(left: Settings, right: Settings) -> Iterator[tuple[str, str]]:
    """Key and side of everything that Debian (`left`) and NixOS (`right`) do not have alike."""
    for key in sorted({*left, *right}):
        if key not in right:
            yield key, "debian"
        elif key not in left:
            yield key, "nixos"
        elif left[key] != right[key]:
            yield key, "both"


def unexplained(left: Settings, right: Settings, intended: Iterable[Difference]) -> tuple[str, ...]:
    """What no entry explains, and every entry that explains nothing any more: each as a line for a person."""
    explained = {(one.key, one.only) for one in intended}
    actual = set(found(left, right))
    lines = [f"{key}: only={side}: not explained in nix/differences.yaml" for key, side in actual - explained]
    lines += [f"{key}: only={side}: explained, but there is no such difference" for key, side in explained - actual]
    return tuple(sorted(lines))
