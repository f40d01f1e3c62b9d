"""The people of the machine: a parent, a child and an outsider, made at run time and never in an image."""

from __future__ import annotations

from dataclasses import dataclass

from harden.product import Product
from results.base.errors import InfrastructureError
from validate.machine.session import Session

PARENT, CHILD, OUTSIDER = "pat", "kim", "uma"

SCRIPT = """
import grp, os, pwd, subprocess, time

def run(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    said = done.stdout[-2000:].decode(errors="backslashreplace").strip()
    return [] if done.returncode == 0 else [f"{' '.join(argv)}: status {done.returncode}: {said}"]

accounts = []
shell = next(path for path in ("/bin/bash", "/run/current-system/sw/bin/bash", "/bin/sh") if os.path.exists(path))
# On NixOS units lie in the store: they can be enabled for one boot only.
enable = ["enable", "--now", *(["--runtime"] if os.path.islink("/etc/systemd/system") else [])]
users = {one.pw_name for one in pwd.getpwall()}
groups = {one.gr_name: one.gr_mem for one in grp.getgrall()}
for user, group in ARGUMENT["people"]:
    if group and group not in groups:
        accounts.append(f"there is no group {group}")
    elif user not in users:
        accounts += run("useradd", "-m", "-s", shell, *(["-G", group] if group else []), user)
    elif group and user not in groups[group]:
        accounts += run("usermod", "-a", "-G", group, user)
# Where a packet filter follows the accounts, the child is a child only when it holds the new one.
for _ in range(100 if not accounts and os.path.exists(ARGUMENT["follows"]) else 0):
    rules = ("nft", "--stateless", "list", "ruleset")
    listed = subprocess.run(rules, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if str(pwd.getpwnam(ARGUMENT["child"]).pw_uid).encode() in listed.stdout.replace(b",", b" ").split():
        break
    time.sleep(0.3)
monitor = [] if accounts else [line for unit in ARGUMENT["units"] for line in run("systemctl", *enable, unit)]
RESULT = {"accounts": accounts, "monitor": monitor}
"""


@dataclass(frozen=True)
class Family:
    """Who is who in the machine. `monitor_problem` says why the child's monitor did not start; empty when it did."""

    parent: str = PARENT
    child: str = CHILD
    outsider: str = OUTSIDER
    monitor_problem: str = ""

    @property
    def people(self) -> dict[str, str]:
        """Role to user name."""
        return {"parent": self.parent, "child": self.child, "outsider": self.outsider}


def make_family(session: Session, product: Product) -> Family:
    """Make the three accounts and enable the child's monitor, in one round trip; doing it again changes nothing.

    A monitor that does not start is a finding about the product, not our failure: it is told in the result, and
    the positive probes will show it. Raises `InfrastructureError` when an account cannot be made.
    """
    people = [(PARENT, product.groups["parents"]), (CHILD, product.groups["children"]), (OUTSIDER, "")]
    units = [unit.name.replace("@.", f"@{CHILD}.") for unit in product.units.values() if unit.template]
    follows = f"/etc/systemd/system/{product.name}-egress.path"
    asked = {"people": people, "units": units, "child": CHILD, "follows": follows}
    answer = session.python(SCRIPT, asked, timeout=300)
    if answer["accounts"]:
        raise InfrastructureError(
            "the family's accounts could not be made in the machine",
            "does the image hold the product's package and its groups (harden/product.yaml)?",
            evidence="\n".join(str(one) for one in answer["accounts"]),
        )
    return Family(monitor_problem="; ".join(str(one) for one in answer["monitor"]))
