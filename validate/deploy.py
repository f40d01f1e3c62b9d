"""The seed's deployment, step by step, as an administrator would do it on a machine that runs the product."""

from __future__ import annotations

from results.base.errors import InfrastructureError
from results.base.events import Events
from validate.machine.session import Session

FOLDER = "/root/dots-family-bundle"
"""Where an administrator would unpack it; /run is mounted noexec. `clean_up` takes it away again."""

SCRIPT = f"{FOLDER}/harden-production-security.sh"
HARDENED_SYSTEM = "dots-family-hardened.efi"
"""Its name in the boot partition of a NixOS baseline image (`nix/image.nix`)."""
TUNING = "/etc/sysctl.d/99-dots-family-tuning.conf"


def apply_hardening(session: Session, bundle: bytes, events: Events) -> None:
    """Step 1: unpack the bundle and run its script. Raises `InfrastructureError` with what the script said."""
    with events.step("deploy: apply the hardening"):
        session.put(f"{FOLDER}.tar.gz", bundle, 0o600)
        session.run(["mkdir", "-m", "0700", "-p", FOLDER])
        session.run(["tar", "-xzf", f"{FOLDER}.tar.gz", "-C", FOLDER, "--no-same-owner"])
        reply = session.run([SCRIPT], timeout=300, check=False)
        if reply.status != 0:
            said = (reply.stdout + b"\n" + reply.stderr).decode(errors="backslashreplace")
            raise InfrastructureError(
                f"{SCRIPT.rpartition('/')[2]}: exit status {reply.status} in the machine",
                "the transcript has everything that it said",
                evidence="\n".join(said.splitlines()[-15:]),
            )


def apply_tuning(session: Session, events: Events) -> None:
    """Step 3: `production-tuning.conf`, by the very commands that the seed names."""
    with events.step("deploy: apply the tuning"):
        session.run(["cp", f"{FOLDER}/production-tuning.conf", TUNING])
        session.run(["sysctl", "-p", TUNING])


def choose_hardened_system(session: Session, events: Events) -> None:
    """On NixOS: the disk holds the hardened system beside the other; the boot loader takes it from now on."""
    with events.step("deploy: choose the hardened system"):
        session.run(["bootctl", "set-default", HARDENED_SYSTEM])


def clean_up(session: Session) -> None:
    """Take the unpacked bundle away: nothing of it stays behind."""
    session.run(["rm", "-rf", FOLDER, f"{FOLDER}.tar.gz"])
