"""Files that are read strictly: every unknown key and wrong value is reported, all at once, with its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from results.base.errors import UsageError

T = TypeVar("T")


class Strict(BaseModel):
    """The base of everything that is read from or written to a file: frozen, and no key is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


if TYPE_CHECKING:
    FastLoader = yaml.SafeLoader
else:
    # libyaml's parser where PyYAML was built with it: ten times faster, and the controls are a thousand lines.
    FastLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _UniqueKeys(FastLoader):
    """A safe loader that refuses a key given twice, which YAML itself lets win silently."""


def _mapping(loader: _UniqueKeys, node: yaml.MappingNode) -> dict[object, object]:
    seen: dict[object, int] = {}
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"key {key!r} was given already on line {seen[key]}", key_node.start_mark
            )
        seen[key] = line
    return yaml.SafeLoader.construct_mapping(loader, node, deep=True)


_UniqueKeys.add_constructor("tag:yaml.org,2002:map", _mapping)


def _line_of(node: yaml.Node | None, location: tuple[int | str, ...]) -> int:
    """The line of the innermost part of `location` that the file has."""
    line = 1
    for part in location:
        if node is None:
            break
        line = node.start_mark.line + 1
        following: yaml.Node | None = None
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if str(key.value) == str(part):
                    line, following = key.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            following = node.value[part]
            line = following.start_mark.line + 1
        node = following if following is not None else node if isinstance(part, str) else None
    return line


def _complaints(name: str, node: yaml.Node | None, error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        location = problem["loc"]
        where = ".".join(str(part) for part in location) or "(the whole file)"
        message = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"]
        lines.append(f"{name}:{_line_of(node, location)}: {where}: {message}")
    return lines


def load_yaml(path: Path, shape: type[T] | Any) -> T:
    """Read `path` as `shape` (a model or any type that pydantic knows).

    Raises `UsageError` that lists every problem as `file:line: key: what`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or 'is not UTF-8 text'}") from None
    value: T = parse_yaml(text, shape, name=str(path))
    return value


def parse_yaml(text: str, shape: type[T] | Any, *, name: str) -> T:
    """Like `load_yaml`, for text that is already at hand; `name` stands for the file in messages."""
    try:
        loader = _UniqueKeys(text)
        try:
            node = loader.get_single_node()
            data = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{name}:{line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{name}: {error}") from None
    adapter: TypeAdapter[Any] = TypeAdapter(shape)
    try:
        value: T = adapter.validate_python(data)
    except ValidationError as error:
        raise UsageError("\n".join(_complaints(name, node, error)), "mend the lines named above") from None
    return value


def load_json(path: Path, shape: type[T] | Any) -> T:
    """Read a JSON record that this project, or a hostile guest, has written. Raises `UsageError`."""
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {error}") from None
    adapter: TypeAdapter[Any] = TypeAdapter(shape)
    try:
        value: T = adapter.validate_python(data)
    except ValidationError as error:
        raise UsageError("\n".join(_complaints(str(path), None, error)), "was it written by another version?") from None
    return value
