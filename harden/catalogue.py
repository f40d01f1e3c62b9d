"""Reads all controls, strictly: everything that is wrong with them is reported at once, with file and line."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml
from pydantic import ValidationError

from harden.control import FRAMEWORKS, Control, ControlFile, complete
from harden.layers import LAYERS
from results.base.errors import UsageError
from results.base.strict import FastLoader, load_yaml

DEFAULT_CONTROLS = Path(__file__).parent / "controls"
REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True)
class Catalogue:
    """Every control, in the order of file names and of lines."""

    controls: tuple[Control, ...]

    @cached_property
    def by_id(self) -> dict[str, Control]:
        """The controls by id."""
        return {control.id: control for control in self.controls}

    def of_layer(self, layer: str) -> tuple[Control, ...]:
        """The controls of one layer."""
        return tuple(control for control in self.controls if control.layer == layer)


def _shown(path: Path) -> str:
    """The path as it is shown: relative to the repository where it lies in it."""
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(path)


def _lines(path: Path) -> list[int]:
    """Line of each control in the file, which has been read without complaint before."""
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=FastLoader)
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - its shape is proven
    for key, value in node.value:
        if key.value == "controls":
            return [item.start_mark.line + 1 for item in value.value]
    return []


def _read(path: Path) -> list[Control]:
    parsed: ControlFile = load_yaml(path, ControlFile)
    return [
        complete(entry, parsed.defaults, f"{_shown(path)}:{line}")
        for entry, line in zip(parsed.controls, _lines(path), strict=True)
    ]


def _complaints(control: Control) -> list[str]:
    """What is wrong with one control beyond the shape of its file."""
    where = f"{control.source}: {control.id}"
    found = []
    layer = LAYERS.get(control.layer)
    if layer is None:
        found.append(f"{where}: layer: no layer named {control.layer!r}; there are: {', '.join(LAYERS)}")
    elif control.set:
        try:
            layer.shape.model_validate(control.set)
        except ValidationError as error:
            for problem in error.errors():
                key = ".".join(["set", *(str(part) for part in problem["loc"])])
                message = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"]
                found.append(f"{where}: {key}: {message}")
    missing = [name for name in FRAMEWORKS if not control.references.get(name)]
    if missing:
        found.append(f"{where}: references: none for {', '.join(missing)}")
    return found


def load_catalogue(folder: Path = DEFAULT_CONTROLS) -> Catalogue:
    """Read every `*.yaml` of the folder. Raises `UsageError` that lists every problem of every file."""
    problems: list[str] = []
    controls: list[Control] = []
    paths = sorted(folder.glob("*.yaml"))
    if not paths:
        raise UsageError(f"{folder}: no controls (*.yaml) there")
    for path in paths:
        try:
            controls += _read(path)
        except UsageError as error:
            problems += error.what.splitlines()
    first: dict[str, str] = {}
    for control in controls:
        problems += _complaints(control)
        if control.id in first:
            problems.append(f"{control.source}: {control.id}: this id stands at {first[control.id]} already")
        first.setdefault(control.id, control.source)
    if problems:
        raise UsageError("\n".join(problems), "mend the lines named above")
    return Catalogue(tuple(controls))
