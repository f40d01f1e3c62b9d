"""The network as others meet it: who listens where, and the packet filter's rules."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterable
from typing import Any

from validate.facts.guest.accounts import parse_group, parse_passwd
from validate.facts.guest.context import Context
from validate.facts.guest.processes import descriptors, id_names

RULES = ("nft", "--stateless", "list", "ruleset")
# Table -> the state that means "takes what comes": TCP's LISTEN, UDP's unconnected.
TABLES = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}


def parse_address(word: str) -> tuple[str, int]:
    """Address and port from `0100007F:1F90`: 32-bit words in the machine's (little-endian) order."""
    address, _, port = word.partition(":")
    raw = bytes.fromhex(address)
    words = struct.unpack(f"<{len(raw) // 4}I", raw)
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, struct.pack(f">{len(words)}I", *words)), int(port, 16)


def is_loopback(address: str) -> bool:
    """Whether only the machine itself can reach an address of `parse_address`."""
    return address == "::1" or address.startswith(("127.", "::ffff:127."))


def parse_table(text: str, state: str) -> list[dict[str, Any]]:
    """Sockets of one table of /proc/net that are in `state`."""
    found = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 9 and words[3] == state:
            address, port = parse_address(words[1])
            found.append({"address": address, "port": port, "uid": int(words[7]), "inode": words[9]})
    return found


def listeners(context: Context) -> list[dict[str, Any]]:
    """Every listening socket with the process that holds it; the pid is None when the kernel itself does."""
    owners: dict[str, int] = {}
    for pid, table in context.once("descriptors", descriptors).items():
        for _, target in table:
            if target.startswith("socket:["):
                owners[target[8:-1]] = max(pid, owners.get(target[8:-1], 0))  # not pid 1, which hands sockets on
    users, _ = id_names(context)
    found = []
    for protocol, state in TABLES.items():
        for entry in parse_table(context.reader.optional(f"/proc/net/{protocol}") or "", state):
            pid = owners.get(entry.pop("inode"))
            exe = context.reader.link(f"/proc/{pid}/exe") if pid else None
            user = users.get(entry["uid"], str(entry["uid"]))
            found.append({"protocol": protocol, **entry, "user": user, "pid": pid, "exe": exe})
    return sorted(found, key=lambda entry: (entry["protocol"], entry["port"], entry["address"]))


_BLOCK = re.compile(r"(table|chain|set) (\S+(?: \S+)?) \{")
_FLAGS = re.compile(r"tcp flags ([a-z,]+) / ([a-z,]+)")
_ELEMENTS = re.compile(r"elements = \{(.*?)\}", re.DOTALL)


def parse_rules(text: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """`nft list ruleset`: the lines of every chain, and the elements of every set, by table and name."""
    chains: dict[str, list[str]] = {}
    bodies: dict[str, list[str]] = {}
    table, into = "", None
    for line in (line.strip() for line in text.splitlines()):
        opened = _BLOCK.fullmatch(line)
        if opened and opened[1] == "table":
            table, into = opened[2], None
        elif opened:
            into = (chains if opened[1] == "chain" else bodies).setdefault(f"{table} {opened[2]}", [])
        elif line == "}":
            into = None
        elif line and into is not None:
            into.append(_FLAGS.sub(_flags, line))
    return chains, {name: _elements("\n".join(lines)) for name, lines in bodies.items()}


def _flags(found: re.Match[str]) -> str:
    """`tcp flags syn / syn,ack`, as nft 1.0 prints it, in the words of nft 1.1."""
    value, mask = (one.replace(",", " | ") for one in found.groups())
    return f"tcp flags & ({mask}) == {value if ',' not in found[1] else f'({value})'}"


def _elements(body: str) -> list[str]:
    found = _ELEMENTS.search(body)
    return [word.strip() for word in found[1].split(",")] if found else []


def _holds(elements: Iterable[str], uid: int) -> bool:
    bounds = [word.partition("-") for word in elements]
    return any(first.isdigit() and int(first) <= uid <= int(last or first) for first, _, last in bounds)


def unfiltered(context: Context, sets: dict[str, list[str]]) -> list[str]:
    """Children, and the web filter's account, that the sets of the product's table do not hold."""
    product = context.product
    table = f"inet {str(product.get('name', '')).replace('-', '_')}"
    users = parse_passwd(context.reader.text("/etc/passwd"))
    groups = parse_group(context.reader.text("/etc/group"))
    group = groups.get(product.get("groups", {}).get("children", ""), {"gid": None, "members": []})
    children = [name for name, user in users.items() if name in group["members"] or user["gid"] == group["gid"]]
    wanted = [("children", name) for name in children]
    account = product.get("accounts", {}).get("filter", {}).get("user")
    wanted += [("filter", account)] if account else []
    held = {key: sets.get(f"{table} {key}", []) for key in ("children", "filter")}
    return sorted(name for key, name in wanted if name not in users or not _holds(held[key], users[name]["uid"]))


def collect(context: Context) -> dict[str, Any]:
    """The section `network`; `nft` is null where nftables is not installed, and then there are no chains either."""
    rules = context.commands.output(*RULES) if context.commands.has(RULES[0]) else None
    chains, sets = parse_rules(rules or "")
    found = listeners(context)
    exposed = sorted(
        {f"{entry['protocol'].rstrip('6')}/{entry['port']}" for entry in found if not is_loopback(entry["address"])}
    )
    return {
        "network": {
            "listeners": found,
            "exposed": exposed,
            "nft": rules,
            "chains": chains,
            "sets": sets,
            "unfiltered": unfiltered(context, sets),
        }
    }
