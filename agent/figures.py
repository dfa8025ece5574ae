"""What this host uses, from the kernel's running totals; what its guests use is asked of libvirt in one call."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from agent.protocol import Figures, ReadFigures, Used

SECTOR_BYTES = 512
"""The kernel counts a disk's sectors so, whatever the disk's are."""

NO_DISKS = ("loop", "ram", "zram", "sr", "fd", "nbd", "dm-", "md")
"""Names of block devices that are no disks, or whose bytes are counted on the disks below them."""

NO_UPLINKS = ("lo", "vnic", "br_", "zs")
"""Names of links that lead to guests, to our own namespaces, or nowhere."""

TICKS = os.sysconf("SC_CLK_TCK")


class GuestTotals(Protocol):
    """What is needed of the hypervisor."""

    async def used(self) -> dict[str, Used]: ...


class FigureReader:
    """Answers `ReadFigures`."""

    def __init__(self, hypervisor: GuestTotals) -> None:
        self._hypervisor = hypervisor

    async def read(self, _: ReadFigures) -> Figures:
        """The host's totals and its guests'. Raises `Refused` while libvirt is not reachable."""
        domains = await self._hypervisor.used()
        # Read after them, so that the clock is that of the totals which took longest.
        at = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return Figures(at=at, host=await asyncio.to_thread(host_totals), domains=domains)


def host_totals(proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> Used:
    """What a host has used since it booted."""
    disk_read, disk_write = disk_bytes((proc / "diskstats").read_text(), sys / "block")
    network_in, network_out = network_bytes((proc / "self/net/dev").read_text(), sys / "class/net")
    return Used(
        cpu_ns=cpu_ns((proc / "stat").read_text()),
        memory_bytes=memory_used((proc / "meminfo").read_text()),
        disk_read_bytes=disk_read,
        disk_write_bytes=disk_write,
        network_in_bytes=network_in,
        network_out_bytes=network_out,
    )


def cpu_ns(stat: str) -> int:
    """How long all CPUs together did anything, from the text of /proc/stat; what was stolen from them is not work."""
    words = stat.split("\n", 1)[0].split()
    user, nice, system, _idle, _waiting, hard, soft = map(int, words[1:8])
    return (user + nice + system + hard + soft) * 1_000_000_000 // TICKS


def memory_used(meminfo: str) -> int:
    """Memory that nobody else could have, from the text of /proc/meminfo."""
    sizes = {name: int(rest.split()[0]) for name, _, rest in _pairs(meminfo)}
    return (sizes["MemTotal"] - sizes["MemAvailable"]) * 1024


def disk_bytes(diskstats: str, block: Path) -> tuple[int, int]:
    """Bytes read from and written to whole disks, from the text of /proc/diskstats."""
    read = written = 0
    for line in diskstats.splitlines():
        words = line.split()
        if not words[2].startswith(NO_DISKS) and (block / words[2].replace("/", "!")).exists():
            read += int(words[5]) * SECTOR_BYTES
            written += int(words[9]) * SECTOR_BYTES
    return read, written


def network_bytes(dev: str, links: Path) -> tuple[int, int]:
    """Bytes in and out of the host, from the text of /proc/net/dev."""
    came = went = 0
    for name, _, rest in _pairs(dev):
        if not name.startswith(NO_UPLINKS) and not _stacked(links / name):
            words = rest.split()
            came += int(words[0])
            went += int(words[8])
    return came, went


def _pairs(text: str) -> Iterator[tuple[str, str, str]]:
    return ((name.strip(), colon, rest) for name, colon, rest in map(_parted, text.splitlines()) if colon)


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition(":")


def _stacked(link: Path) -> bool:
    """Whether a link only passes on what another one counts, or ends on this host."""
    if (link / "bridge").exists() or (link / "tun_flags").exists():
        return True
    return next(link.glob("lower_*"), None) is not None
