#!/usr/bin/python3 -I
"""Look whether the hardening still stands, and what has happened since the last look. Run every hour by a timer.

Alerts go to the journal, under dots-family-security, and to security-monitor.log.
Exit status: 0 nothing to tell; 1 alerts; 2 it could not look.
"""

from __future__ import annotations

import json
import os
import sys
import syslog
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

from harden.guest import watch  # noqa: E402 - the package's own modules
from harden.guest.manifest import baseline  # noqa: E402
from harden.guest.system import RefusedError, complain, open_log, say  # noqa: E402


def main(here: Path = HERE) -> int:
    """One look."""
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    os.umask(0o077)
    open_log()
    try:
        manifest = baseline()
        product = json.loads((here / "questions.json").read_text(encoding="utf-8"))["product"]
    except (RefusedError, OSError, ValueError) as error:
        complain(f"the security monitor could not look: {error}")
        return 2
    folder = Path(os.environ.get("STATE_DIRECTORY", "/var/lib/dots-family-security-monitor"))
    alerts = watch.all_alerts(manifest, product, folder)
    for alert in alerts:
        say(f"ALERT {alert}", syslog.LOG_WARNING)
    last = f"{len(alerts)} alerts; {len(manifest.files)} files watched"
    say(last)
    log = Path(product["paths"]["logs"]) / "security-monitor.log"
    try:
        watch.append(log, [*(f"ALERT {alert}" for alert in alerts), last])
    except OSError as error:
        complain(f"ALERT {log}: cannot be written: {error.strerror}; this look is in the journal alone")
        return 1
    return int(bool(alerts))


if __name__ == "__main__":
    sys.exit(main())
