#!/usr/bin/python3 -I
"""harden-production-security.sh: puts the hardening that lies beside it into force on this machine, or takes it back.

    harden-production-security.sh [--dry-run] [apply]   check, validate, write, activate; all or nothing
    harden-production-security.sh status                what is in place and what is not; exit status 1 if anything is not
    harden-production-security.sh revert                the former state again

Exit status: 0 done, 1 failed and the former state restored (or, for status, something is missing), 2 wrong words or
prerequisites missing, nothing touched. Everything it does is in the journal under dots-family-security.
Standard library only.
"""

import fcntl
import grp
import hashlib
import json
import os
import pathlib
import pwd
import re
import shutil
import subprocess
import sys
import syslog
import time
import xml.etree.ElementTree as ET

HERE = pathlib.Path(__file__).resolve().parent
STATE = pathlib.Path("/var/lib/dots-family-hardening")
LOADER_ENTRIES = pathlib.Path("/boot/efi/loader/entries")
TAG = "dots-family-security"
LEAST_SYSTEMD = 245
MEMORY_WANTED = 4 << 30
HEALTHY_WITHIN = 60
"""Seconds that the product's units have to become active; an emulated machine is slow."""


class Refused(Exception):
    """Nothing has been touched."""


def say(text, level=syslog.LOG_NOTICE):
    """One line for the terminal and the journal."""
    print(text, flush=True)
    syslog.syslog(level, text)


def run(*argv, check=True, timeout=120):
    """Run a program; with `check`, a failure raises and quotes what it said."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout, check=False, text=True, errors="backslashreplace")  # fmt: skip
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit status {done.returncode}: {done.stdout.strip()[-800:]}")
    return done


# --- what is to be done ----------------------------------------------------------------------------------------------


def load_manifest():
    """The manifest beside the script, or the one that an earlier run has left."""
    for folder in (HERE, STATE):
        path = folder / "manifest.json"
        if path.is_file():
            manifest = json.loads(path.read_text())
            if manifest.get("schema") != 1:
                raise Refused(f"{path}: of another version than this script")
            return manifest
    raise Refused(f"{HERE}: no manifest.json beside the script, and nothing has been applied here")


def source(entry):
    """The content of one file, proven to be what the manifest says."""
    content = (HERE / "files" / entry["path"].lstrip("/")).read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise Refused(f"{entry['path']}: the bundle is damaged")
    return content


def in_place(entry):
    """Whether the file is there, as it has to be."""
    path = pathlib.Path(entry["path"])
    try:
        info = path.lstat()
        same = hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    except OSError:
        return False
    owner = (pwd.getpwnam(entry["owner"]).pw_uid, grp.getgrnam(entry["group"]).gr_gid)
    return same and f"{info.st_mode & 0o7777:04o}" == entry["mode"] and (info.st_uid, info.st_gid) == owner


def hardening(manifest):
    """The files of this step: the tuning is a step of its own."""
    return [entry for entry in manifest["files"] if entry["path"] != manifest["tuning"]]


def of_folder(manifest, folder):
    """Paths of the hardening files in one folder."""
    return [entry["path"] for entry in hardening(manifest) if entry["path"].startswith(folder)]


def with_parameters(text, parameters):
    """A loader entry whose options hold the parameters, in their order, behind everything else."""
    keys = {word.partition("=")[0] for word in parameters}
    lines = []
    for line in text.splitlines():
        if re.match(r"options\s", line):
            words = [word for word in line.split()[1:] if word.partition("=")[0] not in keys]
            line = " ".join(["options", *words, *parameters])
        lines.append(line)
    return "\n".join(lines) + "\n"


# --- before anything is touched --------------------------------------------------------------------------------------


def prerequisites(manifest):
    """Everything that has to be here. Raises `Refused` that lists all that is not."""
    lacking = []
    version = re.match(r"systemd (\d+)", run("systemctl", "--version").stdout)
    if not version or int(version[1]) < LEAST_SYSTEMD:
        lacking.append(f"systemd {LEAST_SYSTEMD} or newer")
    if pathlib.Path("/sys/module/apparmor/parameters/enabled").exists() is False or (
        pathlib.Path("/sys/module/apparmor/parameters/enabled").read_text().strip() != "Y"
    ):
        lacking.append("AppArmor in the kernel (boot with apparmor=1)")
    for program, package in (("apparmor_parser", "apparmor"), ("augenrules", "auditd"), ("auditctl", "auditd")):
        if not shutil.which(program):
            lacking.append(f"{program} (package {package})")
    for unit in (*manifest["units"], *manifest["templates"]):
        if not any(
            pathlib.Path(folder, unit).exists()
            for folder in ("/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system")
        ):
            lacking.append(f"the product: {unit} is not installed")
    for user in manifest["accounts"]:
        try:
            pwd.getpwnam(user)
        except KeyError:
            lacking.append(f"the product: no account {user}")
    if shutil.disk_usage("/var/lib").free < 16 << 20:
        lacking.append("16 MiB of room in /var/lib")
    if lacking:
        raise Refused("prerequisites are missing: " + "; ".join(lacking))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory < MEMORY_WANTED:
        say(f"note: {memory / 2**30:.1f} GiB of memory; {MEMORY_WANTED >> 30} GiB are recommended")


def validate(manifest):
    """Everything that can be proven before it goes live. Raises `Refused` that lists all that is wrong."""
    wrong = []
    for entry in hardening(manifest):
        path, content = entry["path"], source(entry)
        staged = HERE / "files" / path.lstrip("/")
        if path.startswith("/etc/apparmor.d/"):
            done = run("apparmor_parser", "--skip-kernel-load", "--skip-cache", str(staged), check=False)
            wrong += [f"{path}: {done.stdout.strip()}"] if done.returncode else []
        elif path.startswith("/etc/sysctl.d/"):
            names = re.findall(r"^([a-z][\w./-]+) =", content.decode(), re.MULTILINE)
            missing = [name for name in names if not pathlib.Path("/proc/sys", name.replace(".", "/")).exists()]
            wrong += [f"{path}: this kernel has no {name}" for name in missing]
        elif path.startswith("/usr/share/dbus-1/system.d/"):
            try:
                ET.fromstring(content)
            except ET.ParseError as error:
                wrong.append(f"{path}: {error}")
    if wrong:
        raise Refused("the hardening does not fit this machine: " + "; ".join(wrong))


# --- the former state ------------------------------------------------------------------------------------------------


def describe(path):
    """Mode and owner of a path, to be put back."""
    info = path.lstat()
    return {"mode": info.st_mode & 0o7777, "uid": info.st_uid, "gid": info.st_gid}


def tmpfiles_paths(manifest):
    """Existing paths whose mode or owner the hardening changes."""
    found = set()
    for path in of_folder(manifest, "/etc/tmpfiles.d/"):
        for line in (HERE / "files" / path.lstrip("/")).read_text().splitlines():
            words = line.split()
            if len(words) > 1 and words[0] in ("d", "z", "Z"):
                found |= set(pathlib.Path("/").glob(words[1].lstrip("/")))
    for folder in manifest["kept"]:
        found |= set(pathlib.Path(folder).rglob("*"))
    return sorted(path for path in found if not path.is_symlink() and not str(path).startswith("/sys/"))


def sysctl_names(manifest):
    """Names that the security file sets."""
    text = "".join((HERE / "files" / path.lstrip("/")).read_text() for path in of_folder(manifest, "/etc/sysctl.d/"))
    return re.findall(r"^([a-z][\w./-]+) =", text, re.MULTILINE)


def back_up(manifest):
    """Keep the former state, once: a second run keeps what the first has seen."""
    if (STATE / "complete").exists():
        return
    shutil.rmtree(STATE, ignore_errors=True)
    (STATE / "files").mkdir(parents=True, mode=0o700)
    STATE.chmod(0o700)
    former = {"files": {}, "owners": {}, "sysctl": {}}
    paths = [pathlib.Path(entry["path"]) for entry in manifest["files"]]
    paths += sorted(LOADER_ENTRIES.glob("*.conf"))
    for path in paths:
        former["files"][str(path)] = None
        if path.exists():
            former["files"][str(path)] = describe(path)
            kept = STATE / "files" / str(path).lstrip("/")
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(path.read_bytes())
    former["owners"] = {str(path): describe(path) for path in tmpfiles_paths(manifest)}
    for name in sysctl_names(manifest):
        former["sysctl"][name] = pathlib.Path("/proc/sys", name.replace(".", "/")).read_text().strip()
    (STATE / "former.json").write_text(json.dumps(former, indent=1))
    shutil.copyfile(HERE / "manifest.json", STATE / "manifest.json")
    os.sync()
    (STATE / "complete").touch()


def restore(manifest):
    """The former state again, as far as a running kernel gives it back; the rest comes with the next boot."""
    former = json.loads((STATE / "former.json").read_text())
    instances = running(manifest)
    run("systemctl", "stop", *instances, *manifest["units"], check=False)
    for profile in of_folder(manifest, "/etc/apparmor.d/"):
        if pathlib.Path(profile).exists():
            run("apparmor_parser", "--remove", profile, check=False)
    for name, kept in former["files"].items():
        path = pathlib.Path(name)
        if kept is None:
            path.unlink(missing_ok=True)
            remove_empty(path.parent)
        else:
            write(path, (STATE / "files" / name.lstrip("/")).read_bytes(), kept["mode"], kept["uid"], kept["gid"])
    for name, kept in former["owners"].items():
        if os.path.lexists(name):
            os.chown(name, kept["uid"], kept["gid"], follow_symlinks=False)
            os.chmod(name, kept["mode"])
    for name, value in former["sysctl"].items():
        try:
            pathlib.Path("/proc/sys", name.replace(".", "/")).write_text(value)
        except OSError:
            say(f"{name} goes back to {value!r} with the next boot: the kernel has locked it")
    settle(manifest, instances)
    shutil.rmtree(STATE, ignore_errors=True)


def remove_empty(folder):
    """Take a folder away that only the hardening needed."""
    if folder.name.endswith(".d") and folder.parent.name == "system" or folder.name == "journald.conf.d":
        try:
            folder.rmdir()
        except OSError:
            pass


# --- putting it into force -------------------------------------------------------------------------------------------


def write(path, content, mode, uid, gid):
    """Replace the file in one step; a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    fresh = path.with_name(f".{path.name}.hardening")
    with open(fresh, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if not str(path).startswith("/boot/efi/"):  # the ESP knows no owners
        os.chown(fresh, uid, gid)
        os.chmod(fresh, mode)
    os.replace(fresh, path)


def write_all(manifest):
    """All files, and the loader's entries."""
    changed = 0
    for entry in hardening(manifest):
        if not in_place(entry):
            owner = (pwd.getpwnam(entry["owner"]).pw_uid, grp.getgrnam(entry["group"]).gr_gid)
            write(pathlib.Path(entry["path"]), source(entry), int(entry["mode"], 8), *owner)
            changed += 1
    for path in sorted(LOADER_ENTRIES.glob("*.conf")):
        text = path.read_text()
        wanted = with_parameters(text, manifest["kernel_parameters"])
        if wanted != text:
            write(path, wanted.encode(), 0o644, 0, 0)
            changed += 1
    return changed


def running(manifest):
    """Instances of the product's templates that are running."""
    globs = [name.replace("@.service", "@*.service") for name in manifest["templates"]]
    listed = run("systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating", *globs, check=False)
    return [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]


def settle(manifest, instances):
    """Let systemd, the bus and the SSH server read their files again, and start the product."""
    run("systemctl", "daemon-reload")
    run("systemctl", "reload", "dbus.service", check=False)
    if run("systemctl", "is-active", "--quiet", "ssh.service", check=False).returncode == 0:
        run("sshd", "-t")
        run("systemctl", "reload", "ssh.service", check=False)
    run("systemctl", "restart", "systemd-journald.service", check=False)
    run("journalctl", "--flush", check=False)
    run("systemctl", "reset-failed", *manifest["units"], *instances, check=False)
    run("systemctl", "start", *manifest["units"], *instances)


def load_audit_rules(manifest):
    """Load the rules; where they are locked already, that waits for the next boot."""
    state = run("auditctl", "-s").stdout
    if re.search(r"^enabled 2$", state, re.MULTILINE):
        say("audit rules are locked in this boot: any change of them comes with the next one")
        return
    run("augenrules", "--load", check=False)  # its exit status is that of the rule that locks
    loaded = set(re.findall(r"(?:-k |-F key=)(\S+)", run("auditctl", "-l").stdout))
    text = "".join(pathlib.Path(path).read_text() for path in of_folder(manifest, "/etc/audit/"))
    wanted = set(re.findall(r"^-.*(?:-k |-F key=)(\S+)$", text, re.MULTILINE))
    if wanted - loaded:
        raise RuntimeError(f"audit rules did not load: {', '.join(sorted(wanted - loaded))}")


def activate(manifest):
    """Everything that a running machine can take up now; the kernel's command line waits for the reboot."""
    instances = running(manifest)
    for profile in of_folder(manifest, "/etc/apparmor.d/"):
        run("apparmor_parser", "--replace", profile)
    for path in of_folder(manifest, "/etc/sysctl.d/"):
        run("sysctl", "--quiet", "--load", path)
    run("systemctl", "stop", *instances, *manifest["units"])
    # Files that a daemon which ran as root has made get their owner while it is down.
    run("systemd-tmpfiles", "--create", *of_folder(manifest, "/etc/tmpfiles.d/"))
    settle(manifest, instances)
    load_audit_rules(manifest)
    healthy(manifest, instances)


def healthy(manifest, instances):
    """Wait for the product. Raises when it does not come up under the hardening."""
    units = [*manifest["units"], *instances]
    ends = time.monotonic() + HEALTHY_WITHIN
    while True:
        states = run("systemctl", "is-active", *units, check=False).stdout.split()
        if all(state == "active" for state in states):
            return
        if time.monotonic() > ends:
            raise RuntimeError("the product does not come up: " + ", ".join(map(" is ".join, zip(units, states))))
        time.sleep(1)


# --- commands --------------------------------------------------------------------------------------------------------


def apply(manifest, dry_run):
    """Everything, or nothing."""
    prerequisites(manifest)
    validate(manifest)
    if dry_run:
        for entry in hardening(manifest):
            say(f"{'in place' if in_place(entry) else 'would write'}: {entry['path']}")
        say(f"would boot with: {' '.join(manifest['kernel_parameters'])}")
        return 0
    back_up(manifest)
    try:
        changed = write_all(manifest)
        if changed or not all_loaded(manifest):
            activate(manifest)
    except BaseException as error:
        say(f"failed: {error}; the former state is being restored", syslog.LOG_ERR)
        restore(manifest)
        say("restored: this machine is as it was before", syslog.LOG_ERR)
        return 1
    say(f"hardened: {changed} files written, {len(manifest['files'])} controlled; reboot to bring all of it into force")
    return 0


def all_loaded(manifest):
    """Whether every profile is enforced already."""
    loaded = pathlib.Path("/sys/kernel/security/apparmor/profiles").read_text().splitlines()
    return all(f"{pathlib.Path(path).name} (enforce)" in loaded for path in of_folder(manifest, "/etc/apparmor.d/"))


def status(manifest):
    """What is in place and what is not."""
    missing = [entry["path"] for entry in manifest["files"] if not in_place(entry)]
    for path in missing:
        say(f"not as it should be: {path}")
    unloaded = not all_loaded(manifest)
    if unloaded:
        say("not every AppArmor profile is enforced")
    words = pathlib.Path("/proc/cmdline").read_text().split()
    waiting = [word for word in manifest["kernel_parameters"] if word not in words]
    if waiting:
        say(f"waits for a reboot: {' '.join(waiting)}")
    say(f"{len(manifest['files']) - len(missing)} of {len(manifest['files'])} files are in place")
    return int(bool(missing or unloaded or waiting))


def revert(manifest):
    """The former state again."""
    if not (STATE / "complete").exists():
        raise Refused("nothing has been applied here")
    restore(manifest)
    say("reverted; reboot to take the kernel's command line and locked settings back too")
    return 0


def main(words):
    """Parse the words, take the lock, obey."""
    syslog.openlog(TAG, 0, syslog.LOG_AUTHPRIV)
    dry_run = "--dry-run" in words
    commands = [word for word in words if word != "--dry-run"] or ["apply"]
    if commands[0] in ("-h", "--help"):
        print(__doc__)
        return 0
    if len(commands) != 1 or commands[0] not in ("apply", "status", "revert"):
        print(__doc__, file=sys.stderr)
        return 2
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    os.umask(0o022)
    try:
        if os.geteuid() != 0:
            raise Refused("only root can do this")
        with open("/run/dots-family-hardening.lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused("it is running already") from None
            manifest = load_manifest()
            if commands[0] == "apply":
                return apply(manifest, dry_run)
            return status(manifest) if commands[0] == "status" else revert(manifest)
    except Refused as error:
        say(f"refused, nothing has been touched: {error}", syslog.LOG_ERR)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
