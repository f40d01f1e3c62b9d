"""What a drop-in says to take a unit's directive back: each opposite is valid, and the unit still starts with it.

They weaken the sandbox and never tighten it, so that a unit whose directives are all taken back runs on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harden.layers.unit_directives import KINDS
from results.base.errors import UsageError

WORDS = {
    "User": "root",
    "Group": "root",
    "ProtectHome": "no",
    "ProtectSystem": "no",
    "ProtectProc": "default",
    "ProcSubset": "all",
    "DevicePolicy": "auto",
    "KeyringMode": "inherit",
    "SystemCallArchitectures": "",
    "NotifyAccess": "all",
    "Restart": "no",
    "OOMPolicy": "continue",
    "SystemCallErrorNumber": "ENOSYS",
    "AppArmorProfile": "unconfined",
}
"""By directive; a control that sets this very word names its own sabotage."""

SPARE = ("CAP_SYS_CHROOT", "CAP_SYS_BOOT", "CAP_WAKE_ALARM")
"""Capabilities that no service here needs: one more does not change what it does."""
FAMILIES = ("AF_PACKET", "AF_VSOCK")
TEST_NET = "192.0.2.0/24"
"""Addresses for documentation (RFC 5737): nobody is there."""
EMPTY_FOLDER = "-/media"


def _flag(_name: str, _words: Sequence[str], text: str) -> str:
    return "no" if text == "yes" else "yes"


def _word(name: str, _words: Sequence[str], text: str) -> str:
    other = WORDS.get(name)
    if other is None or other == text:
        raise UsageError(f"{name}={text}: no opposite is known")
    return other


def _number(name: str, _words: Sequence[str], text: str) -> str:
    if name == "OOMScoreAdjust":
        return "0" if text != "0" else "100"
    if name == "StartLimitBurst":
        return str(int(text) + 1)
    return "infinity" if text != "infinity" else "1048576"


def _seconds(_name: str, _words: Sequence[str], text: str) -> str:
    return str(int(text) + 7) if text.isdigit() else "7"


def _list(name: str, _words: Sequence[str], _text: str) -> str:
    return EMPTY_FOLDER if name == "ReadWritePaths" else ""


def _ip(name: str, words: Sequence[str], _text: str) -> str:
    return "" if words and (name == "IPAddressDeny" or "any" in words) else TEST_NET


def _calls(_name: str, _words: Sequence[str], text: str) -> str:
    """Denied calls are allowed; a list of allowed ones goes as a whole, and every call is free."""
    return text[1:] if text.startswith("~") else ""


_BY_KIND: dict[str, Callable[[str, Sequence[str], str], str]] = {
    "flag": _flag,
    "word": _word,
    "octal": lambda _name, _words, text: "0000" if int(text, 8) else "0777",
    "number": _number,
    "size": _number,
    "seconds": _seconds,
    "words": _list,
    "bind": lambda _name, _words, _text: "",
    "families": lambda _name, words, _text: next(one for one in FAMILIES if one not in words),
    "ip": _ip,
    "capabilities": lambda _name, words, _text: next(one for one in SPARE if one not in words),
    "calls": _calls,
}


def opposites(name: str, words: Sequence[str], text: str) -> dict[str, str]:
    """The directives that take `name` back, whose value is `text`, or `words` one by one.

    Raises `UsageError` where no opposite is known.
    """
    value = _BY_KIND[KINDS[name]](name, words, text)
    if name == "AmbientCapabilities":  # beyond its bounds no service starts
        return {"CapabilityBoundingSet": value, name: value}
    if name == "DevicePolicy":  # private devices imply it
        return {"PrivateDevices": "no", name: value}
    return {name: value}
