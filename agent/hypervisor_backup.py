"""What libvirt is asked about a backup of the volumes of a domain that runs.

libvirt's checkpoints are there only while a backup is made: they would stand in the way of snapshots, moves and
undefining. What stays is what they are made of, a bitmap in the volume's file.
"""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import libvirt

from agent.domain_xml import DiskPlug, printable
from agent.hypervisor_move import HypervisorMoves
from agent.libvirt_calls import domain_of, message_of, tell_qemu
from agent.libvirt_xml import parsed
from agent.refused import Refused

BEGIN_SECONDS = 120.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class LiveDisk:
    """A volume of a running domain, the file that its backup goes to, and the names of its bitmaps."""

    plug: DiskPlug
    target: str
    bitmap: str
    since: str = ""


class HypervisorBackups(HypervisorMoves):
    """Backups of what domains have."""

    async def back_up(
        self, vm_uuid: str, disks: Sequence[LiveDisk], report: Callable[[int, int], object]
    ) -> dict[str, str]:
        """Write what volumes hold now to files; serial number to why a disk's is no increment, if one was asked for.

        Raises `Refused`; the bitmaps of earlier backups are as they were then.
        """
        await self._apart(vm_uuid, lambda connection: _clear(connection, vm_uuid, disks), BEGIN_SECONDS)
        broken = await self._apart(
            vm_uuid, lambda connection: _begin(connection, vm_uuid, disks), BEGIN_SECONDS
        )
        ended: str | None = "it was ended"
        try:
            while (
                progress := await self._ask(lambda connection: _progress(connection, vm_uuid))
            ) is not None:
                report(*progress)
                await asyncio.sleep(LOOK_SECONDS)
            ended = await self._ask(lambda connection: _outcome(connection, vm_uuid))
        finally:
            await self._apart(
                vm_uuid,
                lambda connection: _end(connection, vm_uuid, disks, good=ended is None),
                BEGIN_SECONDS,
            )
        if ended is not None:
            raise Refused("backup.failed", f"the backup of VM {vm_uuid} failed: {ended}")
        return broken


def _begin(connection: Any, vm_uuid: str, disks: Sequence[LiveDisk]) -> dict[str, str]:
    domain = domain_of(connection, vm_uuid)
    xml = str(domain.XMLDesc(0))
    broken: dict[str, str] = {}
    for disk in disks:
        if disk.since:
            try:
                _know(domain, xml, disk, disk.since, libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE_VALIDATE)
            except libvirt.libvirtError as failed:
                broken[disk.plug.serial] = message_of(failed)
    try:
        domain.backupBegin(_backup_xml(xml, disks, broken), _checkpoint_xml(xml, disks, disks[0].bitmap), 0)
    except libvirt.libvirtError as failed:
        for checkpoint in domain.listAllCheckpoints():
            checkpoint.delete(libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)
        raise Refused("backup.failed", message_of(failed)) from failed
    return broken


def _know(domain: Any, xml: str, disk: LiveDisk, bitmap: str, flags: int) -> Any:
    """Have libvirt know a bitmap of an earlier backup as a checkpoint, which is returned."""
    element = parsed(_checkpoint_xml(xml, [disk], bitmap))
    ET.SubElement(element, "creationTime").text = "1"
    element.append(parsed(xml))
    return domain.checkpointCreateXML(
        ET.tostring(element, encoding="unicode"), libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE | flags
    )


def _end(connection: Any, vm_uuid: str, disks: Sequence[LiveDisk], *, good: bool) -> None:
    """Leave each disk the bitmap that its next backup needs: the new one when this is there, else the one before.

    Of a domain that went off meanwhile its next backup at rest does so.
    """
    try:
        domain = domain_of(connection, vm_uuid)
        for checkpoint in domain.listAllCheckpoints():
            checkpoint.delete(libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)
        if domain.isActive():
            _remove_bitmaps(domain, disks, lambda bitmap: (bitmap != disks[0].bitmap) == good)
    except libvirt.libvirtError as failed:
        if failed.get_error_code() not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            raise


def _remove_bitmaps(domain: Any, disks: Sequence[LiveDisk], unwanted: Callable[[str], bool]) -> None:
    """Remove bitmaps from all files of some disks. libvirt does so with a checkpoint of that name."""
    xml = str(domain.XMLDesc(0))
    nodes = tell_qemu(domain, "query-named-block-nodes", flat=True)
    for disk in disks:
        for bitmap in filter(unwanted, _bitmaps(xml, nodes, disk)):
            checkpoint = _know(domain, xml, disk, bitmap, flags=0)
            checkpoint.delete(0)


def _bitmaps(xml: str, nodes: Sequence[dict[str, Any]], disk: LiveDisk) -> list[str]:
    """The names of the bitmaps that the files of a disk keep, each once."""
    element = next(each for each in _disks(xml) if _target(each) == disk.plug.target)
    own = {f"libvirt-{each.get('index')}-format" for each in element.iter() if each.get("index")}
    found = [bitmap for node in nodes if node["node-name"] in own for bitmap in node.get("dirty-bitmaps", ())]
    return list(dict.fromkeys(bitmap["name"] for bitmap in found if bitmap["persistent"]))


def _clear(connection: Any, vm_uuid: str, disks: Sequence[LiveDisk]) -> None:
    """End what an agent that was killed had begun, and remove the bitmaps of a backup that nobody heard of."""
    domain = domain_of(connection, vm_uuid)
    if _progress(connection, vm_uuid) is not None:
        domain.abortJob()
    for checkpoint in domain.listAllCheckpoints():
        checkpoint.delete(libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)
    _remove_bitmaps(domain, disks, lambda bitmap: bitmap == disks[0].bitmap)


def _progress(connection: Any, vm_uuid: str) -> tuple[int, int] | None:
    """Bytes that are written, and all; None when no backup is being made any more."""
    try:
        stats = domain_of(connection, vm_uuid).jobStats()
    except libvirt.libvirtError as failed:
        if failed.get_error_code() in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            return None
        raise
    if stats.get("operation") != libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP or not stats.get("type"):
        return None
    return int(stats.get("disk_processed", 0)), int(stats.get("disk_total", 0))


def _outcome(connection: Any, vm_uuid: str) -> str | None:
    """Why a backup failed; None when it did not."""
    try:
        stats = domain_of(connection, vm_uuid).jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)
    except libvirt.libvirtError as failed:
        return message_of(failed)
    if stats.get("operation") == libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP and stats.get("success"):
        return None
    return str(stats.get("errmsg") or "its guest was powered off meanwhile")


def _backup_xml(xml: str, disks: Sequence[LiveDisk], broken: dict[str, str]) -> str:
    backup = ET.Element("domainbackup", mode="push")
    listed = ET.SubElement(backup, "disks")
    wanted = {disk.plug.target: disk for disk in disks}
    for target in _targets(xml):
        disk = wanted.get(target)
        if disk is None:
            ET.SubElement(listed, "disk", name=target, backup="no")
            continue
        element = ET.SubElement(listed, "disk", name=target, backup="yes", type="file")
        if disk.since and disk.plug.serial not in broken:
            element.set("backupmode", "incremental")
            element.set("incremental", disk.since)
        else:
            element.set("backupmode", "full")
        ET.SubElement(element, "driver", type="qcow2")
        ET.SubElement(element, "target", file=printable(disk.target))
    return ET.tostring(backup, encoding="unicode")


def _checkpoint_xml(xml: str, disks: Sequence[LiveDisk], name: str) -> str:
    checkpoint = ET.Element("domaincheckpoint")
    ET.SubElement(checkpoint, "name").text = name
    listed = ET.SubElement(checkpoint, "disks")
    wanted = {disk.plug.target for disk in disks}
    for target in _targets(xml):
        if target in wanted:
            ET.SubElement(listed, "disk", name=target, checkpoint="bitmap", bitmap=name)
        else:
            ET.SubElement(listed, "disk", name=target, checkpoint="no")
    return ET.tostring(checkpoint, encoding="unicode")


def _targets(xml: str) -> list[str]:
    """The names of a domain's disks."""
    return [_target(each) for each in _disks(xml)]


def _disks(xml: str) -> list[ET.Element]:
    """A domain's disks, drives without a disk's content left out."""
    found = parsed(xml).iterfind("devices/disk")
    return [each for each in found if each.get("device", "disk") == "disk" and _target(each)]


def _target(disk: ET.Element) -> str:
    target = disk.find("target")
    return target.get("dev", "") if target is not None else ""
