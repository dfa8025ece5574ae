"""What making volumes of backups means: a new one anywhere, or one that is there as it was."""

from __future__ import annotations

import posixpath

from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.host import Host
from appliance.api.image import Image
from appliance.api.simulator import BACKUP_TYPE, FORMAT, HYPERVISOR
from appliance.api.storage import BackupStorage, LocalStorageHostRef, PrimaryStorage, PrimaryStorageClusterRef
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.api.volume_backup import (
    CreateDataVolumeFromVolumeBackup,
    CreateRootVolumeTemplateFromVolumeBackup,
    RevertVolumeFromVolumeBackup,
    VolumeBackup,
    VolumeRestore,
)
from appliance.plans import naming
from appliance.reconcile.capacity import recount_storage
from appliance.reconcile.volume_backup_rows import chain_of
from appliance.resources.creating import uuid_for
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles
from appliance.resources.tags_of import tags_to_be
from appliance.resources.vm_allowed import if_passing
from appliance.resources.volume import check_room, refuse_busy, refuse_deleted
from appliance.store.transaction import Transaction


@handles(CreateDataVolumeFromVolumeBackup)
def create_volume(tx: Transaction, request: CreateDataVolumeFromVolumeBackup, caller: Caller) -> Promise:
    """A row with the room that the volume will take; a worker brings the content."""
    backup = _ready(tx, request.backup_uuid)
    storage, host = tx.get(PrimaryStorage, request.primary_storage_uuid), tx.get(Host, request.host_uuid)
    _check_host(tx, storage, host)
    kept = tx.get(BackupStorage, backup.backup_storage_uuid)
    if (kept.type == BACKUP_TYPE) != (host.hypervisor_type == HYPERVISOR):
        raise InvalidArgument(
            f"a backup on {kept.type} {kept.name}[uuid:{kept.uuid}] cannot be restored on host {host.name}"
            f"[uuid:{host.uuid}]: only one of the two is simulated"
        )
    check_room(tx, storage, host.uuid, backup.volume_size)
    uuid = uuid_for(tx, request, Volume)
    row = tx.insert(
        VolumeRestore(
            uuid=uuid,
            name=request.name,
            description=request.description,
            backup_uuid=backup.uuid,
            account_uuid=caller.account_uuid,
            primary_storage_uuid=storage.uuid,
            host_uuid=host.uuid,
            install_path=naming.data_volume(storage.url, caller.account_uuid, uuid),
            tags=tags_to_be(tx, request, Volume, uuid),
            size=backup.volume_size,
        )
    )
    recount_storage(tx, storage.uuid)
    return promise(tx, request, row, caller)


@handles(RevertVolumeFromVolumeBackup)
def revert_volume(tx: Transaction, request: RevertVolumeFromVolumeBackup, caller: Caller) -> Promise:
    """A row with the room that the second file takes meanwhile; a worker brings the content."""
    backup = _ready(tx, request.uuid)
    volume = tx.find(Volume, backup.volume_uuid)
    if volume is None:
        raise OperationFailed(
            f"the volume[uuid:{backup.volume_uuid}] of backup[uuid:{backup.uuid}] is gone; "
            f"CreateDataVolumeFromVolumeBackup makes a new one"
        )
    refuse_deleted(volume)
    refuse_busy(tx, volume)
    vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    if vm is not None and (vm.state != "Stopped" or vm.moving):
        used = OperationFailed(
            f"VM {vm.name}[uuid:{vm.uuid}] of volume[uuid:{volume.uuid}] is {vm.state}; stop it first"
        )
        raise if_passing(used, vm)
    storage = tx.get(PrimaryStorage, volume.primary_storage_uuid)
    check_room(tx, storage, volume.host_uuid, backup.volume_size)
    uuid = tx.new_uuid()
    folder = posixpath.dirname(str(volume.install_path)).removesuffix("/snapshots")
    row = tx.insert(
        VolumeRestore(
            uuid=uuid,
            name=volume.name,
            volume_uuid=volume.uuid,
            backup_uuid=backup.uuid,
            account_uuid=caller.account_uuid,
            primary_storage_uuid=storage.uuid,
            host_uuid=str(volume.host_uuid),
            install_path=posixpath.join(folder, "restored", f"{uuid}.qcow2"),
            size=backup.volume_size,
        )
    )
    recount_storage(tx, storage.uuid)
    return promise(tx, request, row, caller)


@handles(CreateRootVolumeTemplateFromVolumeBackup)
def create_template(
    tx: Transaction, request: CreateRootVolumeTemplateFromVolumeBackup, caller: Caller
) -> Promise:
    """A row; a worker has the storage's machine make the image's file."""
    backup = _ready(tx, request.backup_uuid)
    storage = tx.get(BackupStorage, backup.backup_storage_uuid)
    uuid = uuid_for(tx, request, Image)
    image_format = FORMAT if storage.type == BACKUP_TYPE else "qcow2"
    row = tx.insert(
        VolumeRestore(
            uuid=uuid,
            name=request.name,
            description=request.description,
            backup_uuid=backup.uuid,
            account_uuid=caller.account_uuid,
            backup_storage_uuid=storage.uuid,
            install_path=naming.stored_image(storage.url, caller.account_uuid, uuid, image_format),
            tags=tags_to_be(tx, request, Image, uuid),
            format=image_format,
            size=0,
            platform=request.platform,
            guest_os_type=request.guest_os_type,
            system=request.system,
        )
    )
    return promise(tx, request, row, caller)


def _ready(tx: Transaction, uuid: str) -> VolumeBackup:
    """A backup, if it and all that it adds to are there."""
    backup = tx.get(VolumeBackup, uuid)
    for each in chain_of(tx, backup):
        if each.status != "Ready":
            other = OperationFailed(f"backup {each.name}[uuid:{each.uuid}] is {each.status}, and not Ready")
            raise other.passes(each.name_, each.uuid) if each.status == "Creating" else other
    return backup


def _check_host(tx: Transaction, storage: PrimaryStorage, host: Host) -> None:
    """Refuse a host that has no part of the storage, or cannot be reached."""
    attached = tx.exists(
        PrimaryStorageClusterRef,
        primary_storage_uuid=storage.uuid,
        cluster_uuid=host.cluster_uuid,
        intended="Present",
    )
    local = storage.type == "LocalStorage"
    part = tx.exists(LocalStorageHostRef, primary_storage_uuid=storage.uuid, host_uuid=host.uuid)
    if not attached or (local and not part):
        raise InvalidArgument(
            f"the host[uuid:{host.uuid}] doesn't belong to the primary storage[uuid:{storage.uuid}]"
        )
    if (host.status, host.state) != ("Connected", "Enabled"):
        raise OperationFailed(f"host {host.name}[uuid:{host.uuid}] is {host.state} and {host.status}")
