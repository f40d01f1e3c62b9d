"""What hardening is once it is rendered: files and kernel parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class TreeFile:
    """One file as it has to lie in the machine; `mode` is an octal number such as 0o644."""

    path: str
    content: bytes
    mode: int
    owner: str
    group: str
    controls: tuple[str, ...]

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of the content."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Tree:
    """The whole of it. `digest` changes when anything that reaches a machine does."""

    files: tuple[TreeFile, ...]
    kernel_parameters: tuple[str, ...]
    digest: str

    @cached_property
    def by_path(self) -> dict[str, TreeFile]:
        """The files by their path in the machine."""
        return {file.path: file for file in self.files}


def digest_of(files: Iterable[TreeFile], kernel_parameters: Iterable[str]) -> str:
    """`sha256:…` over everything that reaches a machine; titles and remediation do not."""
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.path}\0{file.mode:o}\0{file.owner}\0{file.group}\0{file.sha256}\n".encode())
    for parameter in kernel_parameters:
        total.update(f"{parameter}\n".encode())
    return f"sha256:{total.hexdigest()}"
