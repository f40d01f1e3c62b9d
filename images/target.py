"""Targets: one operating system each, described by one YAML file in images/targets/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

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
    distribution: Literal["debian", "nixos"]
    suite: Word
    architecture: Literal["amd64"] = "amd64"
    hostname: Word = "dots-family"
    packages: tuple[Word, ...]
    """What the operating system consists of, besides what is essential; the same in both variants. NixOS: none."""
    kernel_parameters: tuple[Parameter, ...] = ()
    mirror: Mirror | None = None
    """None: the mirror that the host's own apt uses."""
    keyring: str = "/usr/share/keyrings/debian-archive-keyring.gpg"
    """Signatures of the mirror are verified with this file of the host."""
    room: int = Field(default=512, ge=64, le=65536)
    """MiB left free in the root file system."""

    @model_validator(mode="after")
    def _packages_where_they_count(self) -> Target:
        if bool(self.packages) != (self.distribution == "debian"):
            raise ValueError("packages: Debian consists of some, and NixOS of what nix/ says")
        return self


def target_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """Names of the targets that there are, sorted, the newest Debian last."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


def debian_names(folder: Path = FOLDER) -> tuple[str, ...]:
    """Names of the targets that are built from Debian's packages, which every host with its tools can do."""
    return tuple(name for name in target_names(folder) if load_target(name, folder).distribution == "debian")


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
