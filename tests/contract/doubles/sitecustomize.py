"""Put on the path of an agent process: a network half kept in memory, and libvirt's test driver made to do."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import libvirt

from agent.protocol import digest


class Kept:
    """A noun of the network half: its specs, by uuid."""

    key = ""
    specs: dict[str, Any]

    def __init__(self, *_: object) -> None:
        self.specs = {}

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def confirm(self, _: object) -> None:
        pass

    async def ensure(self, request: Any) -> None:
        self.specs[getattr(request, self.key)] = request

    async def drop(self, request: Any) -> None:
        self.specs.pop(getattr(request, self.key), None)

    def digests(self) -> dict[str, str]:
        return {uuid: digest(spec) for uuid, spec in self.specs.items()}


class Bridges(Kept):
    """Bridges."""

    key = "l2_uuid"


class Networks(Kept):
    """Networks."""

    key = "l3_uuid"


class Nics(Kept):
    """NICs."""

    key = "nic_uuid"

    def guarded(self, device: str) -> bool:
        return any(spec.device == device for spec in self.specs.values())

    def fetches_after(self, _: int) -> list[object]:
        return []


for name, kind in {"bridge": Bridges, "network": Networks, "nic": Nics}.items():
    module = ModuleType(f"agent.{name}")
    setattr(module, kind.__name__, kind)
    sys.modules[module.__name__] = module

# The test driver knows neither keepalive nor these flags, and its guests switch off when asked.
libvirt.virConnect.setKeepAlive = lambda *_: 0
libvirt.virDomain.shutdownFlags = lambda domain, _: domain.shutdown()
libvirt.virDomain.undefineFlags = lambda domain, _: domain.undefine()


def _with_port(domain: Any, flags: int = 0) -> str:
    return str(_described(domain, flags)).replace("port='-1'", "port='5999'")


# It gives a running guest's console no port either.
_described = libvirt.virDomain.XMLDesc
libvirt.virDomain.XMLDesc = _with_port
