"""What a simulated host and its guests use: smooth waves, the same for the same names at the same time."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

from agent.protocol import Figures, Used
from appliance.hosts.simulated_domain import Domain

GIB, MIB = 1 << 30, 1 << 20
TOTALS = ("cpu_ns", "disk_read_bytes", "disk_write_bytes", "network_in_bytes", "network_out_bytes")
"""What only ever grows."""


class Meters:
    """A host's running totals. It uses what its guests do, and a little for itself.

    Its totals go on when a guest comes or goes, as a kernel's do: only what a guest used between two looks counts.
    """

    def __init__(self) -> None:
        self._seen: dict[str, Used] = {}
        self._guests = [0] * len(TOTALS)

    def read(self, address: str, domains: Mapping[str, Domain], seconds: float, memory_bytes: int) -> Figures:
        """All of it now."""
        used = {
            uuid: _guest(uuid, domain, seconds) for uuid, domain in domains.items() if domain.power == "on"
        }
        for uuid in used.keys() & self._seen.keys():
            for place, name in enumerate(TOTALS):
                self._guests[place] += max(0, getattr(used[uuid], name) - getattr(self._seen[uuid], name))
        self._seen = used
        own = _total(address, seconds, 0.02)
        cpu_ns, disk_read, disk_write, network_in, network_out = self._guests
        host = Used(
            cpu_ns=round(own * 1e9) + cpu_ns,
            memory_bytes=min(memory_bytes, 2 * GIB + sum(each.memory_bytes for each in used.values())),
            disk_read_bytes=round(own * MIB) + disk_read,
            disk_write_bytes=round(own * MIB) + disk_write,
            network_in_bytes=round(own * MIB) + network_in,
            network_out_bytes=round(own * MIB) + network_out,
        )
        return Figures(at=round(seconds * 1e9), host=host, domains=used)


def _guest(uuid: str, domain: Domain, seconds: float) -> Used:
    busy = _total(uuid, seconds, 0.05 + 0.5 * _chance(uuid, "cpu"))
    share = 0.3 + 0.6 * _chance(uuid, "memory")
    return Used(
        cpu_ns=round(domain.cpu_num * busy * 1e9),
        memory_bytes=round(domain.memory_bytes * share),
        disk_read_bytes=round(busy * 4 * MIB * _chance(uuid, "read")),
        disk_write_bytes=round(busy * 8 * MIB * _chance(uuid, "write")),
        network_in_bytes=round(busy * 2 * MIB * _chance(uuid, "in")),
        network_out_bytes=round(busy * 6 * MIB * _chance(uuid, "out")),
    )


def _total(name: str, seconds: float, mean: float) -> float:
    """How much has come together of a load that swings about its mean twice an hour, and faster a little."""
    total = mean * seconds
    for period, part in ((1800.0, 0.6), (190.0, 0.3)):
        turn = 2 * math.pi * _chance(name, str(period))
        total += mean * part * period / (2 * math.pi) * math.sin(2 * math.pi * seconds / period + turn)
    return total


def _chance(name: str, what: str) -> float:
    """A number from 0 to 1 that belongs to a name."""
    return zlib.crc32(f"{what} of {name}".encode()) / 0xFFFFFFFF
