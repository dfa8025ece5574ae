"""What backing volumes up means, and removing a backup."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from appliance.api.errors import Cancelled, InvalidArgument, OperationFailed
from appliance.api.simulator import BACKUP_TYPE, HYPERVISOR
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.storage import BackupStorage, PrimaryStorage
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.api.volume_backup import (
    BackupDataVolume,
    BackupVolumeSnapshot,
    CreateVmBackup,
    CreateVolumeBackup,
    DeleteVolumeBackup,
    DeleteVolumeSnapshotFromBackupStorage,
    VolumeBackup,
    VolumeRestore,
)
from appliance.reconcile import jobs
from appliance.reconcile.vm_volume import data_volumes
from appliance.resources.creating import uuid_for
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles
from appliance.resources.tags_of import put_tags
from appliance.resources.vm_allowed import if_passing
from appliance.resources.volume import refuse_busy, refuse_deleted
from appliance.store.transaction import Transaction

STATES = ("Running", "Stopped")


@handles(CreateVolumeBackup)
def create_backup(tx: Transaction, request: CreateVolumeBackup, caller: Caller) -> Promise:
    """A row; its worker has the host write it and carries it away."""
    volume = tx.get(Volume, request.volume_uuid)
    storage = tx.get(BackupStorage, request.backup_storage_uuid)
    uuid = uuid_for(tx, request, VolumeBackup)
    (row,) = _rows(tx, [volume], storage, uuid, request.name, request.description, request.mode)
    put_tags(tx, request, row)
    return promise(tx, request, row, caller)


@handles(CreateVmBackup)
def create_vm_backup(tx: Transaction, request: CreateVmBackup, caller: Caller) -> Promise:
    """A row for each volume, written together."""
    root = tx.get(Volume, request.root_volume_uuid)
    vm = tx.find(VmInstance, root.vm_instance_uuid) if root.vm_instance_uuid else None
    if root.type != "Root" or vm is None:
        raise InvalidArgument(f"volume[uuid:{root.uuid}] is not the root volume of any VM")
    storage = tx.get(BackupStorage, request.backup_storage_uuid)
    uuid = uuid_for(tx, request, VolumeBackup)
    volumes = [root, *data_volumes(tx, vm)]
    rows = _rows(tx, volumes, storage, uuid, request.name, request.description, request.mode)
    for row in rows:
        put_tags(tx, request, row)
    return promise(tx, request, rows[0], caller)


@handles(BackupDataVolume)
def backup_data_volume(tx: Transaction, request: BackupDataVolume, caller: Caller) -> Promise:
    """The same as CreateVolumeBackup, on the storage named or the one with most room."""
    volume = tx.get(Volume, request.uuid)
    if volume.type != "Data":
        raise InvalidArgument(f"volume[uuid:{volume.uuid}] is not Data volume, it's {volume.type}")
    storage = _storage(tx, request.backup_storage_uuid, volume)
    (row,) = _rows(tx, [volume], storage, tx.new_uuid(), volume.name, None, "incremental")
    return promise(tx, request, row, caller)


@handles(BackupVolumeSnapshot)
def backup_snapshot(tx: Transaction, request: BackupVolumeSnapshot, caller: Caller) -> Promise:
    """A backup of the snapshot's file, which nobody writes to."""
    snapshot = tx.get(VolumeSnapshot, request.uuid)
    volume = tx.get(Volume, snapshot.volume_uuid)
    storage = _storage(tx, request.backup_storage_uuid, volume)
    refuse_busy(tx, volume)
    if snapshot.status != "Ready":
        raise OperationFailed(f"snapshot[uuid:{snapshot.uuid}] is {snapshot.status}, and not Ready")
    if tx.exists(VolumeBackup, volume_snapshot_uuid=snapshot.uuid, backup_storage_uuid=storage.uuid):
        raise OperationFailed(
            f"snapshot[uuid:{snapshot.uuid}] is on backup storage {storage.name}[uuid:{storage.uuid}] already"
        )
    (row,) = _rows(tx, [volume], storage, tx.new_uuid(), snapshot.name, snapshot.description, "full")
    path = snapshot.primary_storage_install_path
    row = tx.update(row, volume_snapshot_uuid=snapshot.uuid, volume_path=path)
    return promise(tx, request, row, caller)


@handles(DeleteVolumeSnapshotFromBackupStorage)
def delete_snapshot_copy(
    tx: Transaction, request: DeleteVolumeSnapshotFromBackupStorage, caller: Caller
) -> Promise:
    """Its copies intended absent; the call ends with the last of them."""
    snapshot = tx.get(VolumeSnapshot, request.uuid)
    found = tx.all(VolumeBackup, volume_snapshot_uuid=snapshot.uuid)
    copies = {each.backup_storage_uuid: each for each in found}
    for uuid in request.backup_storage_uuids:
        if uuid not in copies:
            raise InvalidArgument(f"snapshot[uuid:{snapshot.uuid}] is not on the backup storage[uuid:{uuid}]")
    if not request.backup_storage_uuids:
        raise InvalidArgument("field[backupStorageUuids] must be a nonempty list")
    last = [_remove(tx, copies[uuid]) for uuid in dict.fromkeys(request.backup_storage_uuids)][-1]
    return promise(tx, request, last, caller)


@handles(DeleteVolumeBackup)
def delete_backup(tx: Transaction, request: DeleteVolumeBackup, caller: Caller) -> Promise | None:
    """Intended absent, unless something is made of it or adds to it."""
    backup = tx.find(VolumeBackup, request.uuid)
    if backup is None:
        return None
    return promise(tx, request, _remove(tx, backup), caller)


def _remove(tx: Transaction, backup: VolumeBackup) -> VolumeBackup:
    """A backup that is to go, unless something is made of it or adds to it."""
    adding = tx.all(VolumeBackup, parent_uuid=backup.uuid)
    if adding:
        names = ", ".join(f"{each.name}[uuid:{each.uuid}]" for each in adding)
        raise OperationFailed(
            f"backup {backup.name}[uuid:{backup.uuid}] is what {names} adds to; delete that first"
        )
    if tx.exists(VolumeBackup, volume_uuid=backup.volume_uuid, phase="writing", status="Creating"):
        raise OperationFailed(
            f"volume[uuid:{backup.volume_uuid}] is just being backed up, which may add to "
            f"backup[uuid:{backup.uuid}]; wait for that"
        ).passes(Volume.name_, backup.volume_uuid)
    restores = tx.all(VolumeRestore)
    if any(restore.backup_uuid == backup.uuid for restore in restores):
        restored = OperationFailed(f"backup[uuid:{backup.uuid}] is just being restored; wait for that")
        raise restored.passes(backup.name_, backup.uuid)
    jobs.doom_all(tx, backup.group_uuid, Cancelled("the backup was deleted"))
    return tx.update(backup, intended="Absent", status="Deleting", generation=backup.generation + 1)


def _storage(tx: Transaction, uuid: str | None, volume: Volume) -> BackupStorage:
    """The storage named, or the one with most room of those that a volume can be backed up to."""
    if uuid is not None:
        return tx.get(BackupStorage, uuid)
    found = tx.all(BackupStorage, state="Enabled", status="Connected", intended="Present")
    fitting = [each for each in found if _simulated(each) == _is_simulated(tx, volume)]
    if not fitting:
        raise OperationFailed("no backup storage is Enabled and Connected; add one, or connect it")
    return max(fitting, key=lambda each: each.available_capacity)


def _rows(
    tx: Transaction,
    volumes: Sequence[Volume],
    storage: BackupStorage,
    uuid: str,
    name: str,
    description: str | None,
    mode: str,
) -> list[VolumeBackup]:
    """The backups of volumes at one moment; the first has the uuid."""
    if (storage.state, storage.status) != ("Enabled", "Connected"):
        raise OperationFailed(
            f"backup storage {storage.name}[uuid:{storage.uuid}] is {storage.state} and {storage.status}"
        )
    uuids = [uuid, *(tx.new_uuid() for _ in volumes[1:])]
    rows = []
    for own, volume in zip(uuids, volumes, strict=True):
        _check(tx, volume, storage)
        if mode == "incremental":
            _refuse_gap(tx, volume, storage)
        primary = tx.get(PrimaryStorage, volume.primary_storage_uuid)
        rows.append(
            tx.insert(
                VolumeBackup(
                    uuid=own,
                    name=name,
                    description=description,
                    volume_uuid=volume.uuid,
                    vm_instance_uuid=volume.vm_instance_uuid,
                    group_uuid=uuid,
                    backup_storage_uuid=storage.uuid,
                    type=volume.type,
                    mode=mode,
                    install_path=posixpath.join(storage.url, "volumeBackups", volume.uuid, f"{own}.qcow2"),
                    host_uuid=str(volume.host_uuid),
                    volume_path=str(volume.install_path),
                    staged_path=posixpath.join(primary.url, "volumeBackups", own, f"{own}.qcow2"),
                )
            )
        )
    return rows


def _check(tx: Transaction, volume: Volume, storage: BackupStorage) -> None:
    """Refuse to back up what has no content, or is being changed."""
    if volume.vm_instance_uuid is None:  # one that is just leaving its VM is not in the way for long
        refuse_deleted(volume)
    refuse_busy(tx, volume)
    refuse_deleted(volume)
    if volume.status != "Ready" or volume.install_path is None or volume.host_uuid is None:
        raise OperationFailed(f"volume[uuid:{volume.uuid}] is {volume.status}, and has no content to back up")
    vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    if vm is not None and (vm.state not in STATES or vm.moving):
        other = OperationFailed(
            f"VM {vm.name}[uuid:{vm.uuid}] of volume[uuid:{volume.uuid}] is "
            f"{'on its way to another host' if vm.moving else vm.state}; it can be backed up when it is Running "
            f"or Stopped"
        )
        raise if_passing(other, vm)
    if _simulated(storage) != _is_simulated(tx, volume):
        raise InvalidArgument(
            f"volume[uuid:{volume.uuid}] cannot be backed up to {storage.type} {storage.name}[uuid:{storage.uuid}]: "
            f"only one of the two is simulated"
        )


def _refuse_gap(tx: Transaction, volume: Volume, storage: BackupStorage) -> None:
    """Refuse an increment of what has not arrived: it could only be whole, which nobody asked for."""
    coming = tx.all(
        VolumeBackup,
        volume_uuid=volume.uuid,
        backup_storage_uuid=storage.uuid,
        phase="carrying",
        intended="Present",
    )
    for backup in coming:
        if backup.volume_snapshot_uuid is None:
            raise OperationFailed(
                f"backup {backup.name}[uuid:{backup.uuid}] of volume[uuid:{volume.uuid}] is still on its way to its "
                f"storage, and this one is to add to it; wait for that, or ask for mode full"
            ).passes(backup.name_, backup.uuid)


def _simulated(storage: BackupStorage) -> bool:
    return storage.type == BACKUP_TYPE


def _is_simulated(tx: Transaction, volume: Volume) -> bool:
    return volume.format == HYPERVISOR.lower()
