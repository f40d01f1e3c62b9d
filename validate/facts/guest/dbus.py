"""The system bus: who owns which name, every policy rule in force, and what the product really exports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from validate.facts.guest.context import Context, CouldNotLookError, Reader
from validate.facts.guest.digest import sha256
from validate.facts.guest.processes import id_names
from validate.guest.dbus import SYSTEM_BUS, Address, BusError, Connection
from validate.guest.wire import WireError

FOLDERS = ("/usr/share/dbus-1/system.d", "/etc/dbus-1/system.d")
MAIN_FILE = "/usr/share/dbus-1/system.conf"
GENERATED = "/etc/dbus-1/system.conf"
"""NixOS has its main file here: it names a folder in the store for each package, and nothing by default."""
ACTIVATION = ("/usr/local/share/dbus-1/system-services", "/usr/share/dbus-1/system-services")
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
PEER_ERRORS = (BusError, WireError, OSError)


def unit_of(cgroup: str) -> str | None:
    """The unit that a process belongs to, from `/proc/PID/cgroup`; None outside of any."""
    paths = (line.rpartition(":")[2] for line in cgroup.splitlines() if line.startswith("0::"))
    parts = [part for path in paths for part in path.split("/") if part.endswith((".service", ".scope"))]
    return parts[-1] if parts else None


def names(context: Context, bus: Connection) -> dict[str, dict[str, Any]]:
    """Well-known names and who owns them now. A name that is only activatable has no owner and is left out."""
    users, _ = id_names(context)
    found = {}
    (listed,) = bus.bus("ListNames")
    for name in sorted(map(str, listed if isinstance(listed, list) else ())):
        if name.startswith(":"):
            continue
        try:
            pid, uid = (int(str(bus.bus(f"GetConnectionUnix{what}", "s", name)[0])) for what in ("ProcessID", "User"))
        except BusError:
            continue  # it left the bus since
        unit = unit_of(context.reader.optional(f"/proc/{pid}/cgroup") or "")
        found[name] = {"pid": pid, "uid": uid, "user": users.get(uid, str(uid)), "unit": unit}
    return found


def introspect(bus: Connection, name: str, path: str) -> str:
    """What the owner of `name` says that it exports. Asks the owner, not the name, so that nothing is started."""
    (owner,) = bus.bus("GetNameOwner", "s", name)
    (xml,) = bus.call(Address(str(owner), path, INTROSPECTABLE), "Introspect")
    return str(xml)


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


def named_folders(reader: Reader, tag: str) -> tuple[str, ...]:
    """Folders that the main file names itself, where it is a generated one. Raises `ET.ParseError`."""
    text = None if reader.exists(MAIN_FILE) else reader.optional(GENERATED)
    if text is None:
        return ()
    return tuple(one.text.strip() for one in ET.fromstring(text).iter(tag) if one.text)  # noqa: S314 - as below


def policies(context: Context) -> list[dict[str, Any]]:
    """Every policy file of the bus, with its rules."""
    reader = context.reader
    paths = [path for path in (MAIN_FILE, GENERATED) if reader.exists(path)][:1]
    folders = (*FOLDERS, *named_folders(reader, "includedir"))
    paths += [f"{folder}/{name}" for folder in folders for name in reader.some_names(folder) if name.endswith(".conf")]
    found = []
    for path in paths:
        raw = reader.bytes(path)
        entry: dict[str, Any] = {"file": path, "sha256": sha256(raw)}
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


def parse_service(text: str) -> dict[str, str]:
    """Keys of an activation file's one section that counts."""
    found: dict[str, str] = {}
    inside = False
    for line in (line.strip() for line in text.splitlines()):
        key, equals, value = line.partition("=")
        if line.startswith("["):
            inside = line == "[D-BUS Service]"
        elif inside and equals and not line.startswith("#"):
            found[key.strip()] = value.strip()
    return found


def activations(reader: Reader) -> dict[str, dict[str, str]]:
    """Names that the bus starts on demand, and as whom."""
    found: dict[str, dict[str, str]] = {}
    for folder in (*ACTIVATION, *named_folders(reader, "servicedir")):
        for file in reader.some_names(folder):
            section = parse_service(reader.text(f"{folder}/{file}"))
            if "Name" in section:  # otherwise the bus ignores it as well
                found.setdefault(
                    section["Name"],
                    {
                        "file": f"{folder}/{file}",
                        "user": section.get("User", ""),
                        "exec": section.get("Exec", ""),
                        "unit": section.get("SystemdService", ""),
                    },
                )
    return dict(sorted(found.items()))


def members(context: Context, bus: Connection, owned: Mapping[str, Any]) -> dict[str, list[str]]:
    """The product's methods by interface. Raises `CouldNotLookError` while nobody owns its name."""
    ours = context.product["bus"]
    if ours["name"] not in owned:
        raise CouldNotLookError(f"{ours['name']}: nobody owns this bus name")
    return parse_members(introspect(bus, ours["name"], ours["path"]))


def _live(context: Context, found: dict[str, Any]) -> None:
    """What only the bus itself can tell."""
    with Connection(context.reader.real(SYSTEM_BUS)) as bus:
        found["names"] = names(context, bus)
        if "bus" in context.product:
            try:
                found["members"] = members(context, bus, found["names"])
            except (CouldNotLookError, ET.ParseError, *PEER_ERRORS) as error:
                context.error(("dbus", "members"), error)


def collect(context: Context) -> dict[str, Any]:
    """The section `dbus`. Where the bus does not answer, its files are told all the same."""
    files = policies(context)
    found: dict[str, Any] = {
        "policies": files,
        "product_rules": product_rules(context, files),
        "activation": activations(context.reader),
    }
    try:
        _live(context, found)
    except PEER_ERRORS as error:
        context.error(("dbus", "names"), error)
        context.error(("dbus", "members"), error)
    return {"dbus": found}
