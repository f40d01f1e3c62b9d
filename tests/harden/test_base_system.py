"""The files of the base system: whole where they stand in for a package's own, and right where a shell reads them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from harden.tree import Tree
from validate.facts.guest.accounts import parse_login_defs

# What Debian's own login.defs sets, on bookworm and trixie; bookworm's has FAILLOG_ENAB and the like besides,
# which PAM has taken over there.
DEBIANS = """
MAIL_DIR LOG_UNKFAIL_ENAB LOG_OK_LOGINS HUSHLOGIN_FILE ENV_SUPATH ENV_PATH TTYPERM ERASECHAR KILLCHAR HOME_MODE
PASS_MAX_DAYS PASS_MIN_DAYS PASS_WARN_AGE UID_MIN UID_MAX SUB_UID_MIN SUB_UID_MAX SUB_UID_COUNT GID_MIN GID_MAX
SUB_GID_MIN SUB_GID_MAX SUB_GID_COUNT LOGIN_RETRIES LOGIN_TIMEOUT CHFN_RESTRICT ENCRYPT_METHOD DEFAULT_HOME
NONEXISTENT USERGROUPS_ENAB
"""


def content(tree: Tree, path: str) -> str:
    return tree.by_path[path].content.decode()


def test_login_defs_leaves_out_nothing_that_debian_sets(tree: Tree) -> None:
    settings = parse_login_defs(content(tree, "/etc/login.defs"))
    assert settings.keys() >= set(DEBIANS.split())
    assert settings["UMASK"] == "027"


def test_shells_read_the_profile_twice_without_a_word(tree: Tree, tmp_path: Path) -> None:
    path = tmp_path / "profile.sh"
    path.write_text(content(tree, "/etc/profile.d/dots-family.sh"))
    for shell in ("sh", "bash"):
        done = subprocess.run(
            [shell, "-euc", f'. {path}; . {path}; printf "%s %s" "$TMOUT" "$(ulimit -c)"'],
            capture_output=True,
            check=True,
            text=True,
        )
        assert (done.stdout, done.stderr) == ("900 0", "")


def test_ssh_lets_in_root_administrators_and_parents(tree: Tree) -> None:
    (line,) = re.findall(
        r"^AllowGroups (.*)$", content(tree, "/etc/ssh/sshd_config.d/50-dots-family-hardening.conf"), re.MULTILINE
    )
    assert line.split() == ["root", "sudo", "wheel", "dots-parents"]
