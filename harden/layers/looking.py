"""Layers that render nothing: accounts, the state of the machine, and the hardening files themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from pydantic import Field

from harden.control import Expectation
from harden.layers.base import Layer, Placed, expect
from harden.product import Product
from harden.sabotage import Action, Append, ChangeAccount, Chmod
from harden.tree import Tree
from results.base.strict import Strict

NO_LOGIN = ["/usr/sbin/nologin", "/sbin/nologin", "/bin/false", "/usr/bin/false"]


class AccountSet(Strict):
    """`{user: x, password: [locked], login: false}`: what an account that a package made has to look like."""

    user: str
    password: tuple[str, ...] = ()
    """Accepted states: none (no shadow entry), locked, set, empty."""
    login: bool = True
    groups: tuple[str, ...] | None = None
    """The only groups that it may be in."""


class AccountLayer(Layer[AccountSet]):
    """Users and groups; packages make them, and nothing here changes one."""

    name = "account"
    shape = AccountSet
    remediation = "`passwd -l USER`, `usermod -s /usr/sbin/nologin USER`, `gpasswd -d USER GROUP`"

    def expectations(self, placed: Placed[AccountSet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """Password, shell and groups."""
        del product, tree
        wanted = placed.set
        fact = ("accounts", "users", wanted.user)
        if wanted.password:
            yield expect(*fact, "password", op="one_of", expected=list(wanted.password))
        if not wanted.login:
            yield expect(*fact, "shell", op="one_of", expected=NO_LOGIN)
        if wanted.groups is not None:
            yield expect(*fact, "groups", op="subset", expected=sorted(wanted.groups))

    def sabotages(
        self, placed: Placed[AccountSet], siblings: Sequence[Placed[AccountSet]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """A password where none may be (or none where one has to be), a shell, one more group."""
        del siblings, product, tree
        wanted = placed.set
        yield ChangeAccount(
            user=wanted.user,
            password=("" if "set" in wanted.password else "$y$j9T$falsified") if wanted.password else None,
            shell="" if wanted.login else "/bin/bash",
            group=next(one for one in ("adm", "sudo") if one not in wanted.groups) if wanted.groups is not None else "",
        )


class NothingSet(Strict):
    """The controls of this layer have only `checks`."""


class StateLayer(Layer[NothingSet]):
    """What has to be true of the running machine, whatever file it comes from."""

    name = "state"
    shape = NothingSet
    remediation = "see what the finding observed"


class IntegritySet(Strict):
    """`{files: "/etc/sysctl.d/*"}`: which of the rendered files."""

    files: str = Field(min_length=2)


class IntegrityLayer(Layer[IntegritySet]):
    """The hardening files are there, as rendered, and only root can change them."""

    name = "integrity"
    shape = IntegritySet
    remediation = "apply the hardening again, and find out who changed the file: `ausearch -k dots-family-config`"

    def expectations(self, placed: Placed[IntegritySet], product: Product, tree: Tree) -> Iterator[Expectation]:
        """Digest, mode and owner of each file that the glob matches."""
        del product
        for file in tree.files:
            if fnmatchcase(file.path, placed.set.files):
                yield expect("files", file.path, "sha256", op="equals", expected=file.sha256)
                yield expect("files", file.path, "mode", op="equals", expected=f"{file.mode:04o}")
                yield expect("files", file.path, "owner", op="equals", expected=file.owner)
                yield expect("files", file.path, "group", op="equals", expected=file.group)

    def sabotages(
        self, placed: Placed[IntegritySet], siblings: Sequence[Placed[IntegritySet]], product: Product, tree: Tree
    ) -> Iterator[Action]:
        """One more line end, and a file that is somebody else's."""
        del siblings, product
        for file in tree.files:
            if fnmatchcase(file.path, placed.set.files):
                yield Append(path=file.path, content="\n")
                yield Chmod(path=file.path, mode="0664", owner="nobody", group="nogroup")
