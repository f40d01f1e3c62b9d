"""SHA-256 without OpenSSL, which `hashlib` loads: five megabytes for a handful of small files.

Python's own `random` takes its digest from the same module, for the same reason.
"""

from __future__ import annotations

import importlib
from typing import Any

MODULES = ("_sha2", "_sha256", "hashlib")
"""Python 3.12 and newer; older ones; whatever else there may be."""


def _algorithm() -> Any:
    for name in MODULES[:-1]:
        try:
            return importlib.import_module(name).sha256
        except ImportError:
            continue
    return importlib.import_module(MODULES[-1]).sha256


_SHA256 = _algorithm()


def sha256(data: bytes) -> str:
    """The digest in hexadecimal."""
    return str(_SHA256(data).hexdigest())
