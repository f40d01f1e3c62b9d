"""Session names, arguments and environments. No logic: every session calls `python -m …`.

Works with the nox of Debian 12 (2022.11) and everything since. All sessions share one environment per
dependency list, made once under `.nox/`, because a pip install per session would cost more than the work.
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from pathlib import Path

import nox

nox.options.sessions = ["build", "validate"]
nox.options.error_on_missing_interpreters = True

HERE = Path(__file__).parent
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))


def environment(session: nox.Session, *groups: str) -> str:
    """Python of the shared environment that holds the project's dependencies and these groups."""
    needs = [*PROJECT["project"]["dependencies"]]
    for group in groups:
        needs += PROJECT["dependency-groups"][group]
    digest = hashlib.sha256("\n".join([sys.version, *needs]).encode()).hexdigest()[:12]
    folder = HERE / ".nox" / "-".join(["env", *groups, digest])
    python = folder / "bin" / "python"
    stamp = folder / ".complete"
    if not stamp.exists():
        session.run(sys.executable, "-m", "virtualenv", "--quiet", "--clear", str(folder), external=True)
        session.run(str(python), "-m", "pip", "install", "--quiet", *needs, external=True)
        stamp.touch()
    return str(python)


def validate(session: nox.Session, command: str) -> None:
    """Run one command of the pipeline with the arguments behind `--`."""
    session.run(environment(session), "-m", "validate", command, *session.posargs, external=True)


@nox.session(python=False)
def build(session: nox.Session) -> None:
    """Build the images of the chosen targets, both variants, from the cache where inputs are unchanged."""
    validate(session, "build")


@nox.session(name="validate", python=False)
def validate_(session: nox.Session) -> None:
    """Boot, deploy, reboot, audit, probe, measure, compare, report."""
    validate(session, "validate")


@nox.session(python=False)
def doctor(session: nox.Session) -> None:
    """Say what this host has and lacks, with the command that mends it; `-- --fix` runs that command."""
    validate(session, "doctor")


@nox.session(python=False)
def audit(session: nox.Session) -> None:
    """Audit any machine (`-- --host user@host[:port]`), or judge stored facts again (`-- --facts FILE`)."""
    validate(session, "audit")


@nox.session(python=False)
def attack(session: nox.Session) -> None:
    """Run every probe on a machine without the hardening and on one with it, and tell the fate of each."""
    validate(session, "attack")


@nox.session(python=False)
def falsify(session: nox.Session) -> None:
    """Break every control in a live machine, and see its check turn red and green again (`-- --one-by-one`)."""
    validate(session, "falsify")


@nox.session(python=False)
def perf(session: nox.Session) -> None:
    """Measure what the hardening costs, under a clock that follows instructions where the host allows it."""
    validate(session, "perf")


@nox.session(python=False)
def judges(session: nox.Session) -> None:
    """Ask Lynis, systemd and kernel-hardening-checker of a machine without the hardening and of one with it."""
    validate(session, "judges")


@nox.session(python=False)
def report(session: nox.Session) -> None:
    """Render a run's report again, without any machine (`-- --run FOLDER`; default: the newest run)."""
    validate(session, "report")


@nox.session(python=False)
def bundle(session: nox.Session) -> None:
    """Pack the hardening with its tools as a .deb and a .tar.gz, into dist/."""
    validate(session, "bundle")


@nox.session(python=False)
def nix(session: nox.Session) -> None:
    """Check the Nix side as deep as this host allows, and say how deep; `-- --nixpkgs PATH` goes deeper."""
    validate(session, "nix")


@nox.session(python=False)
def sign(session: nox.Session) -> None:
    """Sign every file of a run (`-- --run FOLDER --key FILE`)."""
    validate(session, "sign")


@nox.session(python=False)
def verify(session: nox.Session) -> None:
    """Check a signed run file by file (`-- --run FOLDER --key FILE.pub`)."""
    validate(session, "verify")


@nox.session(python=False)
def matrix(session: nox.Session) -> None:
    """Print targets × workloads as JSON, for a CI matrix."""
    validate(session, "matrix")


@nox.session(python=False)
def bench(session: nox.Session) -> None:
    """Time the pipeline itself and print the figures that the README quotes."""
    validate(session, "bench")


@nox.session(python=False)
def tests(session: nox.Session) -> None:
    """Run the project's own tests: lint, the fast tier, then the tier on real machines (`-- fast` stops before it).

    `-- nightly` runs what takes minutes of a machine each, and nothing else.
    """
    python = environment(session, "test", "lint")
    words = list(session.posargs)
    only_fast = "fast" in words
    rest = [word for word in words if word not in ("fast", "nightly")]
    if "nightly" in words:
        session.run(python, "-m", "pytest", "-m", "nightly", *rest, external=True)
        return
    session.run(python, "-m", "ruff", "check", external=True)
    session.run(python, "-m", "ruff", "format", "--check", "--quiet", external=True)
    session.run(python, "-m", "mypy", external=True)
    spread = ("-n", "2", "--dist", "loadscope")
    session.run(python, "-m", "pytest", "-m", "not vm and not build", *spread, *rest, external=True)
    if not only_fast:
        session.run(python, "-m", "pytest", "-m", "(vm or build) and not nightly", *rest, external=True)


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Formatter, linter and type checker."""
    python = environment(session, "test", "lint")
    session.run(python, "-m", "ruff", "check", external=True)
    session.run(python, "-m", "ruff", "format", "--check", external=True)
    session.run(python, "-m", "mypy", external=True)
