"""What libvirt is asked about a domain that goes to another host."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt

from agent.domain_xml import listening_xml
from agent.hypervisor_disk import HypervisorDisks
from agent.lane import LOOPBACK
from agent.libvirt_calls import domain_of, message_of
from agent.refused import Refused

MOVE_SECONDS = 7 * 86400.0
"""A move takes as long as it takes; what stalls it is seen by who asked for it."""
LOOK_SECONDS = 0.5
_MIB = 1 << 20


@dataclass(frozen=True)
class Destination:
    """Where a domain goes, and what it is there."""

    libvirt: Path
    """A unix socket that leads to the libvirt there."""
    memory_port: int
    disks_port: int
    definition: str
    """What is defined there, as XML."""
    console_listen: str
    bytes_per_second: int


class HypervisorMoves(HypervisorDisks):
    """Domains that go to another host."""

    async def migrate(self, vm_uuid: str, there: Destination, report: Callable[[int, int], object]) -> None:
        """Move a running domain. Raises `Refused`; its guest goes on here then."""
        moving = asyncio.ensure_future(
            self._apart(vm_uuid, lambda connection: _migrate(connection, vm_uuid, there), MOVE_SECONDS)
        )
        try:
            while not (await asyncio.wait({moving}, timeout=LOOK_SECONDS))[0]:
                progress = await self._ask(lambda connection: _progress(connection, vm_uuid))
                if progress is not None:
                    report(*progress)
        finally:
            if not moving.done():
                await self.stop_migration(vm_uuid)
        return await moving

    async def stop_migration(self, vm_uuid: str) -> None:
        """Have a domain stay that is on its way; one that is not is fine."""
        await self._ask(lambda connection: _stop(connection, vm_uuid))

    async def migrating(self, vm_uuid: str) -> bool:
        """Whether a domain is on its way."""
        return await self._ask(lambda connection: _job(connection, vm_uuid) is not None)


def _migrate(connection: Any, vm_uuid: str, there: Destination) -> None:
    domain = domain_of(connection, vm_uuid)
    running = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE)
    flags = (
        libvirt.VIR_MIGRATE_LIVE
        | libvirt.VIR_MIGRATE_PEER2PEER
        | libvirt.VIR_MIGRATE_PERSIST_DEST
        | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
        | libvirt.VIR_MIGRATE_NON_SHARED_INC
        | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
        | libvirt.VIR_MIGRATE_AUTO_CONVERGE
    )
    parameters: dict[str, Any] = {
        libvirt.VIR_MIGRATE_PARAM_URI: f"tcp://{LOOPBACK}:{there.memory_port}",
        libvirt.VIR_MIGRATE_PARAM_LISTEN_ADDRESS: LOOPBACK,
        libvirt.VIR_MIGRATE_PARAM_DISKS_PORT: there.disks_port,
        libvirt.VIR_MIGRATE_PARAM_DEST_XML: listening_xml(running, there.console_listen),
        libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: there.definition,
    }
    if there.bytes_per_second:
        parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = max(there.bytes_per_second // _MIB, 1)
    try:
        domain.migrateToURI3(f"qemu+unix:///system?socket={there.libvirt}", parameters, flags)
    except libvirt.libvirtError as failed:
        if failed.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_CONNECT):
            raise
        raise Refused("migrate.failed", message_of(failed)) from failed


def _job(connection: Any, vm_uuid: str) -> dict[str, int] | None:
    """What libvirt knows of the job of a domain; None of one that is off or unknown, or has none."""
    try:
        stats: dict[str, int] = domain_of(connection, vm_uuid).jobStats()
    except libvirt.libvirtError as failed:
        if failed.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            return None
        raise
    return stats if stats.get("type", libvirt.VIR_DOMAIN_JOB_NONE) != libvirt.VIR_DOMAIN_JOB_NONE else None


def _progress(connection: Any, vm_uuid: str) -> tuple[int, int] | None:
    """Bytes that have gone, and those and the ones still to go."""
    stats = _job(connection, vm_uuid)
    if stats is None or not stats.get("data_total"):
        return None
    return stats["data_processed"], stats["data_processed"] + stats["data_remaining"]


def _stop(connection: Any, vm_uuid: str) -> None:
    if _job(connection, vm_uuid) is None:
        return
    try:
        domain_of(connection, vm_uuid).abortJob()
    except libvirt.libvirtError as failed:
        if failed.get_error_code() not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            raise
