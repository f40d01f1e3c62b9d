"""The system bus: who owns which name, every policy rule in force, and what the product really exports."""

from __future__ import annotations

import configparser
import hashlib
import json
from typing import Any
from xml.etree import ElementTree as ET

from validate.facts.guest.context import Context, CouldNotLookError, Reader

FOLDERS = ("/usr/share/dbus-1/system.d", "/etc/dbus-1/system.d")
MAIN_FILE = "/usr/share/dbus-1/system.conf"
ACTIVATION = ("/usr/local/share/dbus-1/system-services", "/usr/share/dbus-1/system-services")
LIST = ("busctl", "--system", "--no-pager", "--json=short", "list")


def introspection(context: Context) -> tuple[str, ...] | None:
    """The command that asks the product what it exports, without starting it."""
    bus = context.product.get("bus")
    words = ("busctl", "--system", "--no-pager", "--auto-start=no", "--xml-interface", "introspect")
    return (*words, bus["name"], bus["path"]) if bus else None


def parse_names(text: str) -> dict[str, dict[str, Any]]:
    """Well-known names that somebody owns now; a name that is only activatable has no pid and is left out."""
    names = {}
    for row in json.loads(text):
        if not row["name"].startswith(":") and row.get("pid"):
            names[row["name"]] = {key: row.get(key) for key in ("pid", "process", "user", "unit")}
    return names


def parse_policy(text: str) -> list[dict[str, Any]]:
    """Rules of one bus configuration file, in order: `for` says for whom, the attributes what."""
    rules = []
    for policy in ET.fromstring(text).iter("policy"):  # noqa: S314 - the machine's own files, in the machine
        scope = dict(policy.attrib)
        rules += [
            {**scope, "rule": rule.tag, "attributes": dict(rule.attrib)}
            for rule in policy
            if rule.tag in ("allow", "deny")
        ]
    return rules


def parse_members(text: str) -> dict[str, list[str]]:
    """Methods by interface, as introspected; the standard interfaces are left out."""
    start = text.find("<node")
    root = ET.fromstring(text[start:] if start >= 0 else text)  # noqa: S314 - as above
    members = {}
    for interface in root.iter("interface"):
        name = interface.get("name", "")
        if not name.startswith("org.freedesktop.DBus."):
            members[name] = sorted(method.get("name", "") for method in interface.iter("method"))
    return members


def policies(context: Context) -> list[dict[str, Any]]:
    """Every policy file of the bus, with its rules."""
    reader = context.reader
    paths = [MAIN_FILE] if reader.exists(MAIN_FILE) else []
    paths += [f"{folder}/{name}" for folder in FOLDERS for name in reader.some_names(folder) if name.endswith(".conf")]
    found = []
    for path in paths:
        raw = reader.bytes(path)
        entry: dict[str, Any] = {"file": path, "sha256": hashlib.sha256(raw).hexdigest()}
        try:
            entry["rules"] = parse_policy(raw.decode(errors="replace"))
        except ET.ParseError as error:
            entry["rules"] = []
            context.error(("dbus", "policies"), f"{path}: {error}")
        found.append(entry)
    return found


def product_rules(context: Context, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules that name the product's bus name as owner, destination or sender."""
    name = context.product.get("bus", {}).get("name")
    return [
        {"file": entry["file"], **rule}
        for entry in files
        for rule in entry["rules"]
        if name and name in rule["attributes"].values()
    ]


def activations(reader: Reader) -> dict[str, dict[str, str]]:
    """Names that the bus starts on demand, and as whom."""
    found: dict[str, dict[str, str]] = {}
    for folder in ACTIVATION:
        for file in reader.some_names(folder):
            parser = configparser.ConfigParser(interpolation=None, strict=False)
            try:
                parser.read_string(reader.text(f"{folder}/{file}"))
                section = parser["D-BUS Service"]
                found.setdefault(
                    section["Name"],
                    {
                        "file": f"{folder}/{file}",
                        "user": section.get("User", ""),
                        "exec": section.get("Exec", ""),
                        "unit": section.get("SystemdService", ""),
                    },
                )
            except (configparser.Error, KeyError):
                continue  # the bus ignores it as well
    return dict(sorted(found.items()))


def collect(context: Context) -> dict[str, Any]:
    """The section `dbus`."""
    files = policies(context)
    found: dict[str, Any] = {
        "names": parse_names(context.commands.output(*LIST)),
        "policies": files,
        "product_rules": product_rules(context, files),
        "activation": activations(context.reader),
        "members": {},
    }
    ask = introspection(context)
    if ask is not None and ask[-2] in found["names"]:
        try:
            found["members"] = parse_members(context.commands.output(*ask))
        except (CouldNotLookError, ET.ParseError) as error:
            context.error(("dbus", "members"), error)
            del found["members"]
    elif ask is not None:
        context.error(("dbus", "members"), f"{ask[-2]}: nobody owns this bus name")
        del found["members"]
    return {"dbus": found}
