"""What a machine is made of, as its caller says it; frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from validate.machine.accelerator import Accelerator
from validate.machine.qemu import Hardware


@dataclass(frozen=True)
class DiskImage:
    """A raw GPT disk that boots by UEFI. It is opened read-only; `sha256` is the caller's word, for records."""

    path: Path
    sha256: str
    architecture: str = "amd64"


@dataclass(frozen=True)
class Limits:
    """Seconds that each wait may take on a machine with KVM; `scaled` stretches them for a slower one."""

    console: float = 90.0
    """From QEMU's start (or the guest's reset) to multi-user.target on the console."""
    ssh: float = 20.0
    """From there to an authenticated session."""
    settle: float = 60.0
    """From there to systemd's word that no start-up job is left."""
    reset: float = 60.0
    """From `systemctl reboot` to the guest's reset."""
    snapshot: float = 60.0

    def scaled(self, factor: float) -> Limits:
        """All limits times `factor`."""
        return Limits(
            console=self.console * factor,
            ssh=self.ssh * factor,
            settle=self.settle * factor,
            reset=self.reset * factor,
            snapshot=self.snapshot * factor,
        )


@dataclass(frozen=True)
class MachineSettings:
    """How a machine is run. `memory` is in MiB."""

    accelerator: Accelerator
    cpus: int = 2
    memory: int = 2048
    deterministic: bool = False
    """Guest time follows executed instructions; TCG only, one core."""
    kernel_arguments: tuple[str, ...] = ()
    """More words for the kernel's command line, where the boot loader takes them from SMBIOS (systemd-boot 254)."""
    credentials: Mapping[str, bytes] = field(default_factory=dict)
    """More systemd credentials for the guest, by name."""
    limits: Limits = field(default_factory=Limits)
    keep: bool = False
    """Keep the overlay disk of a machine whose use ended with an error, beside its console log."""

    def fitted(self) -> MachineSettings:
        """The same with no more CPUs than the accelerator, or a deterministic clock, allows."""
        most = 1 if self.deterministic else self.accelerator.most_cpus
        return replace(self, cpus=min(self.cpus, most))

    @property
    def hardware(self) -> Hardware:
        """What the guest sees."""
        fitted = self.fitted()
        return Hardware(self.accelerator.name, cpus=fitted.cpus, memory=self.memory, deterministic=self.deterministic)

    @property
    def arguments(self) -> tuple[str, ...]:
        """Kernel arguments, with those that a deterministic clock needs."""
        clock = ("clocksource=tsc", "tsc=reliable") if self.deterministic else ()
        return (*self.kernel_arguments, *clock)

    @property
    def patience(self) -> Limits:
        """The limits for this accelerator; a deterministic guest runs on one thread, so it takes longer still."""
        return self.limits.scaled(self.accelerator.time_scale * (4 if self.deterministic else 1))
