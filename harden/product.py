"""The product description: every name and need of the product, read from one file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from results.base.strict import Strict, load_yaml

DEFAULT_PRODUCT = Path(__file__).with_name("product.yaml")


class Account(Strict):
    """A system account that the product's package creates."""

    user: str
    group: str
    home: str


class IpRules(Strict):
    """systemd's IPAddressAllow= and IPAddressDeny= for one unit."""

    allow: tuple[str, ...]
    deny: tuple[str, ...]


class Unit(Strict):
    """One service and what it truly needs; a name that ends in `@.service` is a template per watched user."""

    name: str
    binary: str
    account: str | None
    """Key into `accounts`; None: runs as the watched user."""
    apparmor: str
    capabilities: tuple[str, ...]
    system_calls: tuple[str, ...]
    """Calls beyond @system-service that it cannot do without."""
    address_families: tuple[str, ...]
    ip: IpRules
    writable: tuple[str, ...]
    limits: dict[str, str | int]
    helpers: tuple[str, ...] = ()
    """Programs that it runs, by path; they stay under its AppArmor profile."""

    @property
    def template(self) -> bool:
        """Whether the unit is instantiated per user."""
        return self.name.endswith("@.service")

    @property
    def glob(self) -> str:
        """The unit's name as it shows in facts: instances of a template match `x@*.service`."""
        return self.name.replace("@.service", "@*.service")


class Method(Strict):
    """A bus method: D-Bus signatures of what it takes and gives."""

    arguments: str = ""
    returns: str = "s"


class Bus(Strict):
    """The product on the system bus."""

    name: str
    path: str
    interface: str
    owner: str
    session: str
    """The monitor's name on the session bus."""
    methods: dict[str, dict[str, Method]]
    """Group of methods to member name to signature."""
    roles: dict[str, tuple[str, ...]]
    """Key into the product's `groups` to the groups of methods that it may call."""

    def allowed(self, role: str) -> tuple[str, ...]:
        """Member names that `role` may call, sorted."""
        return tuple(sorted(member for group in self.roles[role] for member in self.methods[group]))

    @property
    def members(self) -> tuple[str, ...]:
        """All member names, sorted."""
        return tuple(sorted(member for group in self.methods.values() for member in group))


class Ebpf(Strict):
    """What the kernel should hold for the product."""

    programs: tuple[str, ...]
    tracepoints: tuple[str, ...]


class Filter(Strict):
    """The web filter's listener and its block list."""

    address: str
    port: int
    block_list: str


class Product(Strict):
    """The whole description."""

    name: str
    title: str
    accounts: dict[str, Account]
    groups: dict[str, str]
    binaries: dict[str, str]
    units: dict[str, Unit]
    bus: Bus
    ebpf: Ebpf
    paths: dict[str, str]
    configuration: dict[str, str] = Field(default_factory=dict)
    filter: Filter

    @model_validator(mode="after")
    def _references_exist(self) -> Product:
        problems = [
            f"units.{key}: no binary named {unit.binary!r}"
            for key, unit in self.units.items()
            if unit.binary not in self.binaries
        ]
        problems += [
            f"units.{key}: no account named {unit.account!r}"
            for key, unit in self.units.items()
            if unit.account is not None and unit.account not in self.accounts
        ]
        problems += [f"bus.roles: no group named {role!r}" for role in self.bus.roles if role not in self.groups]
        problems += [
            f"bus.roles.{role}: no methods named {group!r}"
            for role, groups in self.bus.roles.items()
            for group in groups
            if group not in self.bus.methods
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def load_product(path: Path = DEFAULT_PRODUCT) -> Product:
    """Read the product description. Raises `UsageError` that lists every problem."""
    product: Product = load_yaml(path, Product)
    return product
