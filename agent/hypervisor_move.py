"""What libvirt is asked about a domain that goes to another host."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libvirt

from agent.domain_xml import listening_xml
from agent.hypervisor_disk import HypervisorDisks
from agent.lane import LOOPBACK
from agent.libvirt_calls import domain_of, message_of, tell_qemu
from agent.protocol import MOVE_BROKE_OFF, MOVE_UNSAFE, MOVE_UNSAFE_WORDS, Copying, ProgressTo
from agent.refused import Refused

log = logging.getLogger(__name__)

MOVE_SECONDS = 7 * 86400.0
"""A move takes as long as it takes; what stalls it is seen by who asked for it."""
LOOK_SECONDS = 0.5
FIRST_LOOK_SECONDS = 0.1
"""So soon a limit is looked after as long as nothing is known to keep it: libvirt begins with whole MiB a second."""
_MIB = 1 << 20
_NO_LIMIT = (1 << 63) // _MIB * _MIB - _MIB
"""What libvirt asks QEMU for when a memory has no limit."""
_MEMORY = "max-bandwidth"


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
    limit: Callable[[], int]
    """Bytes a second of each volume and of the memory, as they are at this moment; 0 for none."""


class HypervisorMoves(HypervisorDisks):
    """Domains that go to another host."""

    async def migrate(self, vm_uuid: str, there: Destination, report: ProgressTo) -> None:
        """Move a running domain. Raises `Refused`; its guest goes on here then."""
        kept = there.limit()
        begun = whole_mib(kept)
        moving = asyncio.ensure_future(
            self._apart(vm_uuid, lambda connection: _migrate(connection, vm_uuid, there, begun), MOVE_SECONDS)
        )
        limited = bool(kept)
        kept_by = 0
        try:
            while not (await _ended(moving, LOOK_SECONDS if kept_by or not limited else FIRST_LOOK_SECONDS)):
                limit = there.limit()
                limited = limited or bool(limit)
                try:
                    if limited:
                        kept_by = await self.keep_limit(vm_uuid, limit)
                    copying = await self._ask(lambda connection: _copying(connection, vm_uuid))
                except Refused as refused:
                    # The move says itself when it fails; a libvirt that is busy answers the next look.
                    log.info("could not look at the move of %s: %s", vm_uuid, refused)
                    continue
                if copying is not None:
                    done = copying.disks_done + copying.memory_done
                    report(done, done + copying.disks_left + copying.memory_left, copying)
        finally:
            if not moving.done():
                await self.stop_migration(vm_uuid)
        return await moving

    async def keep_limit(self, vm_uuid: str, bytes_per_second: int) -> int:
        """Have what is copied of a domain keep a limit from now on; how many of its disks do. Raises `Refused`."""
        return await self._ask(lambda connection: _limit(connection, vm_uuid, bytes_per_second))

    async def stop_migration(self, vm_uuid: str) -> None:
        """Have a domain stay that is on its way; one that is not is fine."""
        await self._ask(lambda connection: _stop(connection, vm_uuid))

    async def migrating(self, vm_uuid: str) -> bool:
        """Whether a domain is on its way."""
        return await self._ask(lambda connection: _job(connection, vm_uuid) is not None)


def whole_mib(bytes_per_second: int) -> int:
    """The limit that libvirt is given to begin with: it knows whole MiB only, and takes 0 for none.

    Not less than the limit: QEMU wakes a mirror whose speed is raised, and lets it copy its next 16 MiB at once, which
    it pays for afterwards. One whose speed is lowered waits for as long as it has to.
    """
    return -(-bytes_per_second // _MIB)


async def _ended(moving: asyncio.Future[None], seconds: float) -> bool:
    """Whether a move ends within some time."""
    return bool((await asyncio.wait({moving}, timeout=seconds))[0])


def _migrate(connection: Any, vm_uuid: str, there: Destination, mib_per_second: int) -> None:
    domain = domain_of(connection, vm_uuid)
    if _broke_off(domain):
        raise Refused(MOVE_UNSAFE, MOVE_UNSAFE_WORDS)
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
    if mib_per_second:
        parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = mib_per_second
    try:
        domain.migrateToURI3(f"qemu+unix:///system?socket={there.libvirt}", parameters, flags)
    except libvirt.libvirtError as failed:
        if failed.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_NO_CONNECT):
            raise
        refused = _refused(failed)
        if _broke_off(domain):
            refused = Refused(MOVE_BROKE_OFF, refused.refusal.message)
        raise refused from failed


def _broke_off(domain: Any) -> bool:
    """Whether a move of a guest without KVM broke off, and was not cancelled: it may not move again as it runs.

    QEMU 7.2 then misses some of what the guest writes to its memory during the next one: its kernel was found broken
    on the new host each time that was tried, with no word of QEMU, and never after a move that was cancelled.
    """
    emulated = domain.isActive() and domain.XMLDesc(0).startswith("<domain type='qemu'")
    return bool(emulated and tell_qemu(domain, "query-migrate").get("status") == "failed")


def _refused(failed: libvirt.libvirtError) -> Refused:
    """Why a domain did not go. Whether the CPU that its guest sees is to be had there, libvirt alone knows."""
    said = message_of(failed)
    if failed.get_error_code() == libvirt.VIR_ERR_CPU_INCOMPATIBLE or "guest CPU doesn't match" in said:
        return Refused(
            "migrate.cpu",
            f"the new host has not the CPU that its guest sees: {said}; set the global config kvm vm.cpuMode to none "
            f"and start the VM anew before it moves, or stop it and move its volumes with LocalStorageMigrateVolume",
        )
    if "cannot migrate domain with I/O error" in said:
        return Refused(
            "migrate.stands_still",
            f"its guest stands still, since a disk of its host has no room for what it writes, or fails: {said}; stop "
            f"the VM, move its volumes with LocalStorageMigrateVolume, which needs no room there, and start it",
        )
    return Refused("migrate.failed", said)


def _job(connection: Any, vm_uuid: str) -> dict[str, int] | None:
    """What libvirt knows of the job of a domain; None of one that is off or unknown, or has none."""
    try:
        stats: dict[str, int] = domain_of(connection, vm_uuid).jobStats()
    except libvirt.libvirtError as failed:
        if failed.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            return None
        raise
    return stats if stats.get("type", libvirt.VIR_DOMAIN_JOB_NONE) != libvirt.VIR_DOMAIN_JOB_NONE else None


def _copying(connection: Any, vm_uuid: str) -> Copying | None:
    """How far a domain on its way is; None as long as libvirt knows of no bytes."""
    stats = _job(connection, vm_uuid)
    if stats is None or not stats.get("data_total"):
        return None
    return copying_of(stats, domain_of(connection, vm_uuid).maxMemory() << 10)


def copying_of(stats: Mapping[str, int], memory_bytes: int) -> Copying:
    """What libvirt's figures of a job say; until a memory of so many bytes begins it is still to come whole."""
    begun = bool(stats.get("memory_total"))
    return Copying(
        disks_done=stats.get("disk_processed", 0),
        disks_left=stats.get("disk_remaining", 0),
        memory_done=stats.get("memory_processed", 0),
        memory_left=stats.get("memory_remaining", 0) if begun else memory_bytes,
        memory_round=max(1, stats.get("memory_iteration", 0)) if begun else 0,
    )


def _limit(connection: Any, vm_uuid: str, bytes_per_second: int) -> int:
    """Hold each mirror of a domain's disks, and its memory, to bytes a second; how many mirrors there are.

    Said past libvirt, which lets nobody change a block job while it migrates, and counts in MiB.
    """
    try:
        domain = domain_of(connection, vm_uuid)
        mirrors = [job for job in tell_qemu(domain, "query-block-jobs") or () if job["type"] == "mirror"]
        for job in mirrors:
            if job["speed"] != bytes_per_second:
                tell_qemu(domain, "block-job-set-speed", device=job["device"], speed=bytes_per_second)
        memory = bytes_per_second or _NO_LIMIT
        if mirrors and tell_qemu(domain, "query-migrate-parameters")[_MEMORY] != memory:
            tell_qemu(domain, "migrate-set-parameters", **{_MEMORY: memory})
    except libvirt.libvirtError as failed:
        if failed.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            return 0
        raise
    return len(mirrors)


def _stop(connection: Any, vm_uuid: str) -> None:
    if _job(connection, vm_uuid) is None:
        return
    try:
        domain_of(connection, vm_uuid).abortJob()
    except libvirt.libvirtError as failed:
        if failed.get_error_code() not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            raise
