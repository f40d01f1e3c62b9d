"""What every layer does with its controls: files, kernel parameters, and what shows in a running machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from harden.control import Control, Expectation, Operation, Read
from harden.product import Product
from harden.sabotage import Action, Remove, Write
from harden.tree import Tree, TreeFile
from results.base.strict import Strict

S = TypeVar("S", bound=Strict)

TEMPLATES = Path(__file__).parent.parent / "templates"


@dataclass(frozen=True)
class Placed(Generic[S]):
    """A control whose `set` is resolved against a product and has its layer's shape."""

    control: Control
    set: S

    @property
    def id(self) -> str:
        """The control's id."""
        return self.control.id


class Layer(Generic[S]):
    """One kind of setting. A layer that renders nothing, or that follows nothing from `set`, leaves that out."""

    name: ClassVar[str]
    shape: ClassVar[type[Strict]]
    remediation: ClassVar[str]
    """What an operator does, where a control has no words of its own."""

    def files(self, controls: Sequence[Placed[S]], product: Product) -> Iterator[TreeFile]:
        """The files that carry these settings."""
        del controls, product
        yield from ()

    def kernel_parameters(self, controls: Sequence[Placed[S]]) -> Iterator[str]:
        """Words for the kernel's command line."""
        del controls
        yield from ()

    def expectations(self, placed: Placed[S], product: Product, tree: Tree) -> Iterator[Expectation]:
        """What has to show in a machine where the setting is in force."""
        del placed, product, tree
        yield from ()

    in_force: ClassVar[tuple[str, ...]] = ()
    """What brings a changed file of this layer into force (`Then` of harden/sabotage.py); `{path}` is the file."""

    def sabotages(
        self, placed: Placed[S], siblings: Sequence[Placed[S]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """What breaks the control in a running machine: its files as they would be without it.

        `siblings` are all controls of the layer that set something, this one included.
        """
        yield from self.lacking(placed, siblings, product, tree)

    def lacking(
        self, placed: Placed[S], siblings: Sequence[Placed[S]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """The files that carry the control, rendered as if it were not in the catalogue."""
        without = {file.path: file for file in self.files([one for one in siblings if one.id != placed.id], product)}
        for file in tree.files:
            other = without.get(file.path)
            if placed.id not in file.controls or (other and other.content == file.content):
                continue
            then = tuple(step.format(path=file.path) for step in self.in_force)
            if other is None:
                yield Remove(path=file.path, then=then)
            else:
                yield Write(path=file.path, content=other.content.decode(), mode=f"{file.mode:04o}", then=then)


def expect(*fact: str, op: Operation, expected: Any = None, read: Read = "raw", note: str = "") -> Expectation:
    """Shorthand for the layers."""
    return Expectation(fact=fact, op=op, expected=expected, read=read, note=note)


def unchanged(placed: Placed[Any], tree: Tree) -> Iterator[Expectation]:
    """Every file that carries the control has the content that was rendered."""
    for file in tree.files:
        if placed.id in file.controls:
            yield expect("files", file.path, "sha256", op="equals", expected=file.sha256)


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(TEMPLATES),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - configuration files, not HTML; the bus policy escapes for itself
)


def render_file(
    template: str,
    path: str,
    controls: Sequence[Placed[Any]],
    *,
    mode: int = 0o644,
    **values: Any,
) -> TreeFile:
    """Render one template into a file that root owns."""
    text = _ENVIRONMENT.get_template(template).render(path=path, controls=controls, **values)
    return TreeFile(path, text.encode(), mode, "root", "root", tuple(sorted({one.id for one in controls})))
