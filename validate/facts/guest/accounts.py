"""Users, groups, log-in settings and sudo rules, from the machine's own files. No password hash leaves it."""

from __future__ import annotations

from typing import Any

from validate.facts.guest.context import Context, Reader

SUDOERS = "/etc/sudoers"


def password_state(field: str | None) -> str:
    """What a shadow field means: `none` (no entry), `empty` (no password needed), `locked` or `set`."""
    if field is None:
        return "none"
    if not field:
        return "empty"
    return "locked" if field[0] in "!*" else "set"


def parse_passwd(text: str) -> dict[str, dict[str, Any]]:
    """`/etc/passwd`; a line that is no entry is left out, as the C library does."""
    users = {}
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) == 7 and fields[2].isdigit() and fields[3].isdigit():
            name, field, uid, gid, _, home, shell = fields
            users[name] = {"uid": int(uid), "gid": int(gid), "home": home, "shell": shell, "field": field}
    return users


def parse_group(text: str) -> dict[str, dict[str, Any]]:
    """`/etc/group`."""
    groups = {}
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) == 4 and fields[2].isdigit():
            groups[fields[0]] = {"gid": int(fields[2]), "members": sorted(filter(None, fields[3].split(",")))}
    return groups


def parse_shadow(text: str) -> dict[str, str]:
    """`/etc/shadow`: name to its password field, which only `password_state` may look at."""
    rows = (line.split(":") for line in text.splitlines())
    return {fields[0]: fields[1] for fields in rows if len(fields) > 1}


def users(passwd: str, shadow: str, groups: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Every user with groups (the primary one included) and the state of the password."""
    hashes = parse_shadow(shadow)
    found = {}
    for name, user in parse_passwd(passwd).items():
        field = user.pop("field")
        member_of = {group for group, entry in groups.items() if name in entry["members"]}
        member_of |= {group for group, entry in groups.items() if entry["gid"] == user["gid"]}
        state = password_state(hashes.get(name) if field == "x" else field)
        found[name] = {**user, "password": state, "groups": sorted(member_of)}
    return found


def parse_login_defs(text: str) -> dict[str, str]:
    """`/etc/login.defs`: key to value."""
    pairs = (line.split(None, 1) for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return {pair[0]: pair[1].strip() if len(pair) > 1 else "" for pair in pairs}


def parse_sudoers(text: str) -> list[str]:
    """Rules and defaults, one a line, continuation lines joined, comments gone."""
    lines = text.replace("\\\n", " ").splitlines()
    kept = (" ".join(line.split()) for line in lines)
    return [line for line in kept if line and (not line.startswith("#") or line.startswith("#include"))]


def sudo_files(reader: Reader) -> list[str]:
    """The files that sudo reads: no name with a dot or a tilde at its end."""
    names = [name for name in reader.some_names("/etc/sudoers.d") if "." not in name and not name.endswith("~")]
    main = [SUDOERS] if reader.exists(SUDOERS) else []
    return main + [f"/etc/sudoers.d/{name}" for name in names]


def collect(context: Context) -> dict[str, Any]:
    """The sections `accounts`, `login` and `sudoers`."""
    reader = context.reader
    groups = parse_group(reader.text("/etc/group"))
    lines = [line for path in sudo_files(reader) for line in parse_sudoers(reader.text(path))]
    return {
        "accounts": {
            "users": users(reader.text("/etc/passwd"), reader.text("/etc/shadow"), groups),
            "groups": groups,
        },
        "login": parse_login_defs(reader.optional("/etc/login.defs") or ""),
        "sudoers": lines,
    }
