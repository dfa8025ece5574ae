"""What a simulated host and its guests use: smooth waves, the same for the same names at the same time."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

from agent.protocol import Figures, Used
from appliance.hosts.simulated_domain import Domain

GIB, MIB = 1 << 30, 1 << 20


def figures(address: str, domains: Mapping[str, Domain], seconds: float, memory_bytes: int) -> Figures:
    """All of a host. It uses what its guests do, and a little for itself."""
    used = {uuid: _guest(uuid, domain, seconds) for uuid, domain in domains.items() if domain.power == "on"}
    own = _total(address, seconds, 0.02)
    host = Used(
        cpu_ns=round(own * 1e9) + sum(each.cpu_ns for each in used.values()),
        memory_bytes=min(memory_bytes, 2 * GIB + sum(each.memory_bytes for each in used.values())),
        disk_read_bytes=round(own * MIB) + sum(each.disk_read_bytes for each in used.values()),
        disk_write_bytes=round(own * MIB) + sum(each.disk_write_bytes for each in used.values()),
        network_in_bytes=round(own * MIB) + sum(each.network_in_bytes for each in used.values()),
        network_out_bytes=round(own * MIB) + sum(each.network_out_bytes for each in used.values()),
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
