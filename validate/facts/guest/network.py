"""The network as others meet it: who listens where, and the packet filter's rules."""

from __future__ import annotations

import ipaddress
import struct
from typing import Any

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
    return str(ipaddress.ip_address(struct.pack(f">{len(words)}I", *words))), int(port, 16)


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


def collect(context: Context) -> dict[str, Any]:
    """The section `network`; `nft` is null where nftables is not installed."""
    rules = context.commands.output(*RULES) if context.commands.has(RULES[0]) else None
    found = listeners(context)
    exposed = sorted(
        {
            f"{entry['protocol'].rstrip('6')}/{entry['port']}"
            for entry in found
            if not ipaddress.ip_address(entry["address"]).is_loopback
        }
    )
    return {"network": {"listeners": found, "exposed": exposed, "nft": rules}}
