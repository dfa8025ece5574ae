"""Backups as rows: what each is made of, what came of it, and its end."""

from __future__ import annotations

from agent.protocol import BackedUp
from appliance.api.errors import ApiError
from appliance.api.snapshot import VolumeSnapshot, VolumeSnapshotBackupStorageRef
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup
from appliance.reconcile import jobs
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def group_of(snapshot: Snapshot, backup: VolumeBackup) -> list[VolumeBackup]:
    """The backups of one moment."""
    return snapshot.all(VolumeBackup, group_uuid=backup.group_uuid, order_by="create_date")


def chain_of(snapshot: Snapshot, backup: VolumeBackup) -> list[VolumeBackup]:
    """A backup with all that it adds to, the whole one first."""
    chain = [backup]
    while chain[-1].parent_uuid is not None:
        chain.append(snapshot.get(VolumeBackup, chain[-1].parent_uuid))
    return chain[::-1]


def last_of(snapshot: Snapshot, backup: VolumeBackup) -> VolumeBackup | None:
    """The volume's newest backup on the same storage, if its newest backup of all is that one.

    A volume's file notes what was written since one moment only.
    """
    found = snapshot.all(VolumeBackup, volume_uuid=backup.volume_uuid, intended="Present")
    others = [
        each
        for each in found
        if each.uuid != backup.uuid and each.phase != "writing" and each.volume_snapshot_uuid is None
    ]
    last = max(others, key=lambda each: each.create_date, default=None)
    if last is None or last.status != "Ready" or last.backup_storage_uuid != backup.backup_storage_uuid:
        return None
    return last


def note_written(tx: Transaction, planned: VolumeBackup, made: BackedUp) -> None:
    """A host has written the files of a group; they are to be carried away."""
    sizes = {each.uuid: made.disks[each.volume_uuid].size_bytes for each in group_of(tx, planned)
             if each.volume_uuid in made.disks}  # fmt: skip
    jobs.expect(tx, jobs.running(tx, planned.group_uuid), sizes)
    for backup in group_of(tx, planned):
        disk = made.disks.get(backup.volume_uuid)
        if disk is None or backup.phase != "writing":
            continue
        last = last_of(tx, backup) if disk.incremental else None
        tx.update(
            backup,
            phase="carrying",
            mode="incremental" if disk.incremental else "full",
            mode_reason=disk.reason or None,
            parent_uuid=last.uuid if last is not None else None,
            volume_size=disk.virtual_bytes,
            size=disk.size_bytes,
            md5=disk.md5,
        )


def note_carried(tx: Transaction, planned: VolumeBackup) -> None:
    """A backup is where it belongs; the calls that made its group end with the last."""
    backup = tx.find(VolumeBackup, planned.uuid)
    if backup is None or backup.intended == "Absent":
        return
    tx.update(backup, phase="clearing", status="Ready")
    if backup.volume_snapshot_uuid is not None:
        _note_snapshot(tx, backup)
        return
    group = group_of(tx, backup)
    if any(each.status != "Ready" for each in group):
        return
    for job in jobs.running(tx, backup.group_uuid):
        leader = tx.get(VolumeBackup, backup.group_uuid)
        if job.name == "BackupDataVolume":
            volume = tx.find(Volume, leader.volume_uuid)
            jobs.succeed(tx, job, {"inventory": tx.inventory(volume)} if volume is not None else {})
        elif job.name == "CreateVmBackup":
            jobs.succeed(tx, job, {"inventory": tx.inventory(leader), "inventories": tx.inventories(group)})
        else:
            jobs.succeed(tx, job, {"inventory": tx.inventory(leader)})


def _note_snapshot(tx: Transaction, backup: VolumeBackup) -> None:
    """A snapshot has a copy on a backup storage."""
    snapshot = tx.find(VolumeSnapshot, backup.volume_snapshot_uuid or "")
    if snapshot is not None:
        tx.insert(
            VolumeSnapshotBackupStorageRef(
                uuid=backup.uuid,
                volume_snapshot_uuid=snapshot.uuid,
                backup_storage_uuid=backup.backup_storage_uuid,
                install_path=backup.install_path,
            )
        )
    for job in jobs.running(tx, backup.uuid):
        jobs.succeed(tx, job, {"inventory": tx.inventory(snapshot)} if snapshot is not None else {})


def give_up(tx: Transaction, planned: VolumeBackup, error: ApiError) -> bool:
    """A backup failed for good: nothing of its group is kept. False when it was to go anyway."""
    backup = tx.find(VolumeBackup, planned.uuid)
    if backup is None or backup.intended == "Absent" or backup.status == "Ready":
        return False
    jobs.doom_all(tx, backup.group_uuid, error)
    for each in group_of(tx, backup):
        tx.update(each, intended="Absent", status="Deleting", generation=each.generation + 1)
    return True


def forget(tx: Transaction, planned: VolumeBackup) -> None:
    """Nothing is left of a backup; the calls that wanted that end with the last of its group."""
    backup = tx.find(VolumeBackup, planned.uuid)
    if backup is None:
        return
    tx.delete(backup)
    ref = tx.find(VolumeSnapshotBackupStorageRef, backup.uuid)
    if ref is not None:
        tx.delete(ref)
    snapshot = tx.find(VolumeSnapshot, backup.volume_snapshot_uuid or "")
    found = jobs.running(tx, backup.uuid)
    if not group_of(tx, backup):
        found += jobs.running(tx, backup.group_uuid)
    for job in {job.uuid: job for job in found}.values():
        shown = snapshot is not None and job.name == "DeleteVolumeSnapshotFromBackupStorage"
        jobs.succeed(tx, job, {"inventory": tx.inventory(snapshot)} if snapshot is not None and shown else {})
