"""What requests about backup storage mean."""

from __future__ import annotations

from typing import Any

from appliance.api.counting import counted
from appliance.api.errors import ApiError, BackupStorageFailed, Cancelled, InvalidArgument, OperationFailed
from appliance.api.image import ImageBackupStorageRef
from appliance.api.storage import (
    AddSftpBackupStorage,
    AttachBackupStorageToZone,
    BackupStorage,
    BackupStorageZoneRef,
    ChangeBackupStorageState,
    DeleteBackupStorage,
    DetachBackupStorageFromZone,
    ReconnectSftpBackupStorage,
    UpdateBackupStorage,
    UpdateSftpBackupStorage,
)
from appliance.api.volume_backup import VolumeBackup
from appliance.api.zone import Zone
from appliance.hosts.fleet import Target
from appliance.reconcile import jobs
from appliance.reconcile.context import accepted_by
from appliance.reconcile.machine import ask_connection
from appliance.resources.creating import STATES, add, check_uuid, given, refuse_twins, uuid_for
from appliance.resources.host_key import keep_key, trust
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Live, Promise, asks_host, handles
from appliance.resources.storage import folder
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@asks_host(AddSftpBackupStorage)
async def add_sftp_backup_storage(live: Live, request: AddSftpBackupStorage, caller: Caller) -> Promise:
    """Trust first, with the password that is never stored; then the row, and the job that connects it."""
    url = folder(request.url)
    await live.database.read(lambda snapshot: _check_new(snapshot, request, url))
    target = Target(
        request.hostname, request.ssh_port, request.username, accepted_by="AddSftpBackupStorage …"
    )
    try:
        believed = await trust(live, target, request.password, request.host_key_fingerprint)
    except ApiError as failed:
        raise BackupStorageFailed(f"hostname[{request.hostname}]: {failed.details}", cause=failed) from failed

    def write(tx: Transaction) -> Promise:
        _check_new(tx, request, url)
        storage = BackupStorage(
            uuid=uuid_for(tx, request, BackupStorage),
            name=request.name,
            description=request.description,
            url=url,
            hostname=request.hostname,
            ssh_port=request.ssh_port,
            username=request.username,
        )
        added = keep_key(tx, add(tx, request, storage), target, believed=believed)
        return promise(tx, request, added, caller)

    return await live.database.write(write)


def _check_new(snapshot: Snapshot, request: AddSftpBackupStorage, url: str) -> None:
    """Refuse before the machine is touched what would be refused afterwards."""
    refuse_twins(
        snapshot, BackupStorage, f"url[{url}] of {request.hostname} is a backup storage already",
        url=url, hostname=request.hostname,
    )  # fmt: skip
    check_uuid(snapshot, request, BackupStorage)


@handles(UpdateBackupStorage)
def update_backup_storage(tx: Transaction, request: UpdateBackupStorage, caller: Caller) -> BackupStorage:
    """The row's words."""
    return tx.update(tx.get(BackupStorage, request.uuid), **given(request, "name", "description"))


@asks_host(UpdateSftpBackupStorage)
async def update_sftp_backup_storage(
    live: Live, request: UpdateSftpBackupStorage, caller: Caller
) -> dict[str, Any]:
    """New words or a new machine; a password installs the key there once more, a fingerprint pins the machine's."""
    storage = await live.database.read(lambda snapshot: _sftp(snapshot, request))
    target = Target(
        request.hostname or storage.hostname,
        request.ssh_port or storage.ssh_port,
        request.username or storage.username,
        accepted_by=accepted_by(storage),
    )
    believed = False
    if request.password is not None or request.host_key_fingerprint is not None:
        try:
            believed = await trust(live, target, request.password or "", request.host_key_fingerprint)
        except ApiError as failed:
            raise BackupStorageFailed(
                f"hostname[{target.address}]: {failed.details}", cause=failed
            ) from failed

    def write(tx: Transaction) -> dict[str, Any]:
        names = ("name", "description", "hostname", "username", "ssh_port")
        updated = tx.update(_sftp(tx, request), **given(request, *names))
        return {"inventory": tx.inventory(keep_key(tx, updated, target, believed=believed))}

    return await live.database.write(write)


@handles(ChangeBackupStorageState)
def change_backup_storage_state(
    tx: Transaction, request: ChangeBackupStorageState, caller: Caller
) -> BackupStorage:
    """The row's state."""
    return tx.update(tx.get(BackupStorage, request.uuid), state=STATES[request.state_event])


def _sftp(snapshot: Snapshot, request: UpdateSftpBackupStorage | ReconnectSftpBackupStorage) -> BackupStorage:
    """The storage, which must be one that is reached by SSH, and no twin of another one after an update."""
    storage = snapshot.get(BackupStorage, request.uuid)
    if storage.type != "SftpBackupStorage":
        raise InvalidArgument(
            f"backup storage {storage.name}[uuid:{storage.uuid}] is a {storage.type}, not a SftpBackupStorage"
        )
    hostname = request.hostname if isinstance(request, UpdateSftpBackupStorage) else None
    twin = snapshot.first(BackupStorage, url=storage.url, hostname=hostname) if hostname else None
    if twin is not None and twin.uuid != storage.uuid:
        raise InvalidArgument(
            f"url[{storage.url}] of {hostname} is a backup storage already [{twin.vo} uuid:{twin.uuid}]"
        )
    return storage


@handles(ReconnectSftpBackupStorage)
def reconnect_backup_storage(tx: Transaction, request: ReconnectSftpBackupStorage, caller: Caller) -> Promise:
    """One more connection asked for."""
    return promise(tx, request, ask_connection(tx, _sftp(tx, request)), caller)


@handles(AttachBackupStorageToZone)
def attach_backup_storage(
    tx: Transaction, request: AttachBackupStorageToZone, caller: Caller
) -> BackupStorage:
    """A reference."""
    storage = tx.get(BackupStorage, request.backup_storage_uuid)
    zone = tx.get(Zone, request.zone_uuid)
    if not tx.exists(BackupStorageZoneRef, backup_storage_uuid=storage.uuid, zone_uuid=zone.uuid):
        tx.insert(
            BackupStorageZoneRef(
                uuid=tx.new_uuid(),
                id=tx.largest(BackupStorageZoneRef, "id") + 1,
                backup_storage_uuid=storage.uuid,
                zone_uuid=zone.uuid,
            )
        )
    return storage


@handles(DetachBackupStorageFromZone)
def detach_backup_storage(
    tx: Transaction, request: DetachBackupStorageFromZone, caller: Caller
) -> BackupStorage:
    """The reference removed."""
    storage = tx.get(BackupStorage, request.backup_storage_uuid)
    for ref in tx.all(BackupStorageZoneRef, backup_storage_uuid=storage.uuid, zone_uuid=request.zone_uuid):
        tx.delete(ref)
    return storage


@handles(DeleteBackupStorage)
def delete_backup_storage(tx: Transaction, request: DeleteBackupStorage, caller: Caller) -> Promise | None:
    """Intended absent when it holds no image."""
    storage = tx.find(BackupStorage, request.uuid)
    if storage is None:
        return None
    images = tx.count(ImageBackupStorageRef, backup_storage_uuid=storage.uuid)
    deleted = tx.count(ImageBackupStorageRef, backup_storage_uuid=storage.uuid, status="Deleted")
    if images:
        raise OperationFailed(
            f"backup storage {storage.name}[uuid:{storage.uuid}] holds {counted(images, 'image', 'images')}, "
            f"{deleted} of them in the recycle bin; delete and expunge them first"
        )
    backups = tx.count(VolumeBackup, backup_storage_uuid=storage.uuid)
    if backups:
        raise OperationFailed(
            f"backup storage {storage.name}[uuid:{storage.uuid}] holds "
            f"{counted(backups, 'backup', 'backups')} of volumes; delete them first"
        )
    jobs.doom_all(tx, storage.uuid, Cancelled("the backup storage was deleted"))
    return promise(tx, request, tx.update(storage, intended="Absent"), caller)
