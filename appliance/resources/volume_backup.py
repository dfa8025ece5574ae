"""What backing volumes up means, and removing a backup."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from appliance.api.errors import Cancelled, InvalidArgument, OperationFailed
from appliance.api.simulator import BACKUP_TYPE, HYPERVISOR
from appliance.api.storage import BackupStorage, PrimaryStorage
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.api.volume_backup import (
    BackupDataVolume,
    CreateVmBackup,
    CreateVolumeBackup,
    DeleteVolumeBackup,
    VolumeBackup,
    VolumeRestore,
)
from appliance.reconcile import jobs
from appliance.reconcile.vm_volume import data_volumes
from appliance.resources.creating import uuid_for
from appliance.resources.registry import Caller, Promise, handles
from appliance.resources.storage import promise
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
    return promise(tx, request, rows[0], caller)


@handles(BackupDataVolume)
def backup_data_volume(tx: Transaction, request: BackupDataVolume, caller: Caller) -> Promise:
    """The same as CreateVolumeBackup, on the storage named or the one with most room."""
    volume = tx.get(Volume, request.uuid)
    if volume.type != "Data":
        raise InvalidArgument(f"volume[uuid:{volume.uuid}] is not Data volume, it's {volume.type}")
    if request.backup_storage_uuid is not None:
        storage = tx.get(BackupStorage, request.backup_storage_uuid)
    else:
        found = tx.all(BackupStorage, state="Enabled", status="Connected", intended="Present")
        fitting = [each for each in found if _simulated(each) == _is_simulated(tx, volume)]
        if not fitting:
            raise OperationFailed("no backup storage is Enabled and Connected; add one, or connect it")
        storage = max(fitting, key=lambda each: each.available_capacity)
    (row,) = _rows(tx, [volume], storage, tx.new_uuid(), volume.name, None, "incremental")
    return promise(tx, request, row, caller)


@handles(DeleteVolumeBackup)
def delete_backup(tx: Transaction, request: DeleteVolumeBackup, caller: Caller) -> Promise | None:
    """Intended absent, unless something is made of it or adds to it."""
    backup = tx.find(VolumeBackup, request.uuid)
    if backup is None:
        return None
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
        )
    restores = tx.all(VolumeRestore)
    if any(restore.backup_uuid == backup.uuid for restore in restores):
        raise OperationFailed(f"backup[uuid:{backup.uuid}] is just being restored; wait for that")
    jobs.overtake(tx, backup.group_uuid, Cancelled("the backup was deleted"))
    backup = tx.update(backup, intended="Absent", status="Deleting", generation=backup.generation + 1)
    return promise(tx, request, backup, caller)


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
    refuse_deleted(volume)
    refuse_busy(tx, volume)
    if volume.status != "Ready" or volume.install_path is None or volume.host_uuid is None:
        raise OperationFailed(f"volume[uuid:{volume.uuid}] is {volume.status}, and has no content to back up")
    vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    if vm is not None and (vm.state not in STATES or vm.moving):
        raise OperationFailed(
            f"VM {vm.name}[uuid:{vm.uuid}] of volume[uuid:{volume.uuid}] is "
            f"{'on its way to another host' if vm.moving else vm.state}; it can be backed up when it is Running "
            f"or Stopped"
        )
    if _simulated(storage) != _is_simulated(tx, volume):
        raise InvalidArgument(
            f"volume[uuid:{volume.uuid}] cannot be backed up to {storage.type} {storage.name}[uuid:{storage.uuid}]: "
            f"only one of the two is simulated"
        )


def _simulated(storage: BackupStorage) -> bool:
    return storage.type == BACKUP_TYPE


def _is_simulated(tx: Transaction, volume: Volume) -> bool:
    return volume.format == HYPERVISOR.lower()
