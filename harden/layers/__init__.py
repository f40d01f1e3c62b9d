"""One module a layer, or a few small ones together; the registry is the only place that lists them."""

from __future__ import annotations

from typing import Any

from harden.layers.apparmor import AppArmorLayer
from harden.layers.audit import AuditLayer
from harden.layers.base import Layer
from harden.layers.bus import BusLayer
from harden.layers.kernel import KernelLayer
from harden.layers.looking import AccountLayer, IntegrityLayer, StateLayer
from harden.layers.mode import ModeLayer
from harden.layers.nft import NftLayer
from harden.layers.plain import FileLayer, JournalLayer, ModuleLayer, SshdLayer
from harden.layers.sysctl import SysctlLayer, TuningLayer
from harden.layers.unit import UnitLayer

LAYERS: dict[str, Layer[Any]] = {
    layer.name: layer
    for layer in (
        UnitLayer(),
        AppArmorLayer(),
        BusLayer(),
        AuditLayer(),
        SysctlLayer(),
        TuningLayer(),
        KernelLayer(),
        ModuleLayer(),
        ModeLayer(),
        NftLayer(),
        SshdLayer(),
        JournalLayer(),
        FileLayer(),
        AccountLayer(),
        StateLayer(),
        IntegrityLayer(),
    )
}
