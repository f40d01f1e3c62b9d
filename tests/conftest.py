"""What all tests share: on the VM tier, one build and one boot serve many tests.

A machine test that changes the machine takes `fresh` (a snapshot that is loaded again), one that only looks
takes `hardened_machine`. Without QEMU these fixtures fail with what to install; they never skip.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from images.build import BuiltImage, build_target
from images.cache import Cache
from images.target import load_target
from images.workload.choice import choose_workload
from results.base.events import Event, Events
from results.records import Variant
from validate import requirements
from validate.machine.accelerator import Accelerator, choose
from validate.machine.machine import DiskImage, Machine, MachineSettings, machine
from validate.plan import Plan, load_plan

BOTH: tuple[Variant, ...] = ("baseline", "hardened")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`nox -s tests -- --target debian-bookworm` takes the machines of another release."""
    parser.addoption("--target", default="debian-trixie", help="whose images the machine tests boot")


def _quiet(_event: Event) -> None:
    """Events of fixtures go nowhere."""


@pytest.fixture(scope="session")
def events() -> Events:
    return Events(_quiet)


@pytest.fixture(scope="session")
def plan() -> Plan:
    return load_plan()


@pytest.fixture(scope="session")
def host_is_ready() -> None:
    """Fail, with the remedy, on a host that lacks something."""
    lacking = sorted({need.package for need in requirements.missing()})
    if lacking:
        pytest.fail(f"this host lacks {', '.join(lacking)}: run `nox -s doctor -- --fix`")


@pytest.fixture(scope="session")
def built(pytestconfig: pytest.Config, host_is_ready: None, plan: Plan, events: Events) -> Mapping[Variant, BuiltImage]:
    """Both disks of the target, from the ordinary cache."""
    target = load_target(pytestconfig.getoption("--target"))
    workload = choose_workload(("reference",))
    return dict(
        build_target(target, tree=plan.tree, workload=workload, variants=BOTH, cache=Cache.default(), events=events)
    )


@pytest.fixture(scope="session")
def accelerator(host_is_ready: None, events: Events) -> Accelerator:
    return choose("auto", events=events)


def disk_image(image: BuiltImage) -> DiskImage:
    return DiskImage(image.disk, image.record.sha256, image.record.architecture)


@pytest.fixture(scope="session")
def hardened_machine(
    built: Mapping[Variant, BuiltImage],
    accelerator: Accelerator,
    events: Events,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Machine]:
    """The hardened image, booted once for all."""
    folder: Path = tmp_path_factory.mktemp("machine")
    settings = MachineSettings(accelerator=accelerator)
    with machine(disk_image(built["hardened"]), settings=settings, folder=folder, name="t", events=events) as booted:
        yield booted
