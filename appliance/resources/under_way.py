"""What is being done with a VM or a volume by others than its own worker: moved, read, backed up, restored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.move import VmMove, VolumeMove
from appliance.api.template import VolumeReading
from appliance.api.volume_backup import VolumeBackup, VolumeRestore
from appliance.reconcile import jobs
from appliance.store.snapshot import Snapshot

Carried = VmMove | VolumeMove | VolumeReading | VolumeBackup | VolumeRestore


def is_held_up(snapshot: Snapshot, uuid: str) -> bool:
    """Whether what is under way with a VM, volume or backup does not go on by itself.

    It waits for a machine that is away, or for its guest to write less.
    """
    for each in _carried(snapshot, uuid):
        for host_uuid in (getattr(each, "source_host_uuid", None), each.host_uuid):
            host = snapshot.find(Host, host_uuid) if host_uuid is not None else None
            if host is not None and host.status != "Connected":
                return True
        if any(job.waits_for is not None for job in _jobs_of(snapshot, each)):
            return True
    return False


def is_at_work(snapshot: Snapshot, uuid: str) -> bool:
    """Whether somebody works on one of them now, and waits for nothing."""
    found = jobs.running(snapshot, uuid)
    for each in _carried(snapshot, uuid):
        found += _jobs_of(snapshot, each)
    return any(job.waits_for is None for job in found)


def _carried(snapshot: Snapshot, uuid: str) -> Iterator[Carried]:
    abouts: list[dict[str, Any]] = [{"vm_instance_uuid": uuid}, {"volume_uuid": uuid}]
    yield from (each for each in snapshot.all(VmMove, **abouts[0]) if each.phase != "moved")
    for about in abouts:
        yield from (each for each in snapshot.all(VolumeMove, **about) if each.phase != "moved")
        yield from snapshot.all(VolumeReading, **about, phase="reading")
    yield from snapshot.all(VolumeBackup, volume_uuid=uuid, status="Creating", intended="Present")
    yield from snapshot.all(VolumeBackup, uuid=uuid, status="Creating", intended="Present")
    yield from snapshot.all(VolumeRestore, volume_uuid=uuid)
    yield from snapshot.all(VolumeRestore, backup_uuid=uuid)


def _jobs_of(snapshot: Snapshot, each: Carried) -> list[LongJob]:
    """The jobs that end with it: those of a group of backups, or of volumes that a VM takes along, are on another."""
    match each:
        case VolumeBackup():
            return jobs.running(snapshot, each.group_uuid)
        case VolumeMove(vm_move_uuid=str(together)):
            return jobs.running(snapshot, together)
        case _:
            return jobs.running(snapshot, each.uuid)
