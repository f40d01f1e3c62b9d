"""Targets: one operating system each, described by one YAML file in images/targets/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from results.base.errors import UsageError
from results.base.strict import Strict, load_yaml

FOLDER = Path(__file__).with_name("targets")

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9+._-]*$")]
Parameter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+(=[A-Za-z0-9_.,:/@+-]*)?$")]
Url = Annotated[str, StringConstraints(pattern=r"^(https?|file|copy|mirror\+file|mirror\+https?):\S+$")]


class Mirror(Strict):
    """Where packages come from, for a target that does not use the host's own apt configuration."""

    archive: Url
    security: Url | None = None
    """None: no security updates."""


class Target(Strict):
    """One operating system to validate."""

    name: Word
    title: str
    distribution: Literal["debian"]
    suite: Word
    architecture: Literal["amd64"] = "amd64"
    hostname: Word = "dots-family"
    packages: tuple[Word, ...] = Field(min_length=1)
    """What the operating system consists of, besides what is essential; the same in both variants."""
    kernel_parameters: tuple[Parameter, ...] = ()
    mirror: Mirror | None = None
    """None: the mirror that the host's own apt uses."""
    keyring: str = "/usr/share/keyrings/debian-archive-keyring.gpg"
    """Signatures of the mirror are verified with this file of the host."""
    room: int = Field(default=512, ge=64, le=65536)
    """MiB left free in the root file system."""


def target_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """Names of the targets that there are, sorted, the newest Debian last."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def load_target(name: str, folder: Path = FOLDER) -> Target:
    """The target called `name`, or the one that a file of your own describes (`name` ends in `.yaml`).

    Raises `UsageError` for an unknown name, and for a file that does not fit (each problem with its line).
    """
    known = target_names(folder)
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
    elif name in known:
        path = folder / f"{name}.yaml"
    else:
        raise UsageError(f"unknown target {name!r}", f"known targets: {', '.join(known) or 'none'}")
    target: Target = load_yaml(path, Target)
    if target.name != path.stem:
        raise UsageError(f"{path}: name: is {target.name!r}, but the file is called {path.stem!r}", "make them agree")
    return target
