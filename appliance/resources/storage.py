"""What requests about primary and backup storage mean."""

from __future__ import annotations

import posixpath
import re

from appliance.api.cluster import Cluster
from appliance.api.errors import ApiError, BackupStorageFailed, Cancelled, InvalidArgument, OperationFailed
from appliance.api.image import ImageBackupStorageRef
from appliance.api.message import Message
from appliance.api.resource import Resource
from appliance.api.simulator import HYPERVISOR, PRIMARY_TYPE
from appliance.api.storage import (
    AddLocalPrimaryStorage,
    AddSftpBackupStorage,
    AttachBackupStorageToZone,
    AttachPrimaryStorageToCluster,
    BackupStorage,
    BackupStorageZoneRef,
    DeleteBackupStorage,
    DeletePrimaryStorage,
    DetachBackupStorageFromZone,
    DetachPrimaryStorageFromCluster,
    LocalStorageHostRef,
    PrimaryStorage,
    PrimaryStorageClusterRef,
    ReconnectSftpBackupStorage,
)
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.api.zone import Zone
from appliance.hosts.fleet import Target
from appliance.reconcile import jobs
from appliance.resources.creating import add, check_uuid, refuse_twins, uuid_for
from appliance.resources.registry import Caller, Live, Promise, asks_host, handles
from appliance.resources.tags_of import drop_tags
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

SYSTEM_FOLDERS = ("/bin", "/boot", "/dev", "/etc", "/lib", "/proc", "/root", "/run", "/sbin", "/sys", "/usr")


@handles(AddLocalPrimaryStorage)
def add_local_primary_storage(
    tx: Transaction, request: AddLocalPrimaryStorage, caller: Caller
) -> PrimaryStorage:
    """A row; attaching it to a cluster makes the folders."""
    url = folder(request.url)
    refuse_twins(
        tx,
        PrimaryStorage,
        f"url[{url}] is a primary storage of the zone",
        url=url,
        zone_uuid=request.zone_uuid,
    )
    storage = PrimaryStorage(
        uuid=uuid_for(tx, request, PrimaryStorage),
        zone_uuid=request.zone_uuid,
        name=request.name,
        description=request.description,
        url=url,
        mount_path=url,
    )
    return add(tx, request, storage)


@handles(AttachPrimaryStorageToCluster)
def attach_primary_storage(
    tx: Transaction, request: AttachPrimaryStorageToCluster, caller: Caller
) -> Promise:
    """A reference, whose worker makes the folder on each connected host."""
    storage = tx.get(PrimaryStorage, request.primary_storage_uuid)
    cluster = tx.get(Cluster, request.cluster_uuid)
    same_zone(storage.zone_uuid, cluster, f"primary storage {storage.name}")
    _same_hypervisor(storage, cluster)
    refuse_twins(
        tx,
        PrimaryStorageClusterRef,
        f"primary storage {storage.name} is attached to cluster {cluster.name} already",
        primary_storage_uuid=storage.uuid,
        cluster_uuid=cluster.uuid,
    )
    ref = tx.insert(
        PrimaryStorageClusterRef(
            uuid=tx.new_uuid(), primary_storage_uuid=storage.uuid, cluster_uuid=cluster.uuid
        )
    )
    return promise(tx, request, ref, caller)


@handles(DetachPrimaryStorageFromCluster)
def detach_primary_storage(
    tx: Transaction, request: DetachPrimaryStorageFromCluster, caller: Caller
) -> Promise | PrimaryStorage:
    """Intended absent; refused while a VM of the cluster has a volume there."""
    storage = tx.get(PrimaryStorage, request.primary_storage_uuid)
    ref = tx.first(
        PrimaryStorageClusterRef, primary_storage_uuid=storage.uuid, cluster_uuid=request.cluster_uuid
    )
    if ref is None:
        return storage
    for volume in tx.all(Volume, primary_storage_uuid=storage.uuid):
        vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
        if vm is not None and vm.cluster_uuid == request.cluster_uuid:
            raise OperationFailed(f"VM {vm.name}[uuid:{vm.uuid}] has a volume on it; destroy it first")
    jobs.overtake(tx, ref.uuid, Cancelled("the primary storage was detached"))
    return promise(tx, request, tx.update(ref, intended="Absent"), caller)


@handles(DeletePrimaryStorage)
def delete_primary_storage(tx: Transaction, request: DeletePrimaryStorage, caller: Caller) -> None:
    """Gone when no cluster uses it."""
    storage = tx.find(PrimaryStorage, request.uuid)
    if storage is None:
        return
    if tx.exists(PrimaryStorageClusterRef, primary_storage_uuid=storage.uuid):
        raise OperationFailed(
            f"primary storage {storage.name}[uuid:{storage.uuid}] is attached to a cluster; detach it first"
        )
    for ref in tx.all(LocalStorageHostRef, primary_storage_uuid=storage.uuid):
        tx.delete(ref)
    drop_tags(tx, storage.uuid)
    tx.delete(storage)


@asks_host(AddSftpBackupStorage)
async def add_sftp_backup_storage(live: Live, request: AddSftpBackupStorage, caller: Caller) -> Promise:
    """Trust first, with the password that is never stored; then the row, and the job that connects it."""
    url = folder(request.url)
    await live.database.read(lambda snapshot: _check_new(snapshot, request, url))
    target = Target(request.hostname, request.ssh_port, request.username)
    try:
        await live.fleet.dialer.trust(target, request.password, None)
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
        return promise(tx, request, add(tx, request, storage), caller)

    return await live.database.write(write)


def _check_new(snapshot: Snapshot, request: AddSftpBackupStorage, url: str) -> None:
    """Refuse before the machine is touched what would be refused afterwards."""
    refuse_twins(
        snapshot, BackupStorage, f"url[{url}] of {request.hostname} is a backup storage already",
        url=url, hostname=request.hostname,
    )  # fmt: skip
    check_uuid(snapshot, request, BackupStorage)


@handles(ReconnectSftpBackupStorage)
def reconnect_backup_storage(tx: Transaction, request: ReconnectSftpBackupStorage, caller: Caller) -> Promise:
    """One more connection asked for."""
    storage = tx.get(BackupStorage, request.uuid)
    storage = tx.update(storage, connect_id=storage.connect_id + 1, status="Connecting")
    return promise(tx, request, storage, caller)


@handles(AttachBackupStorageToZone)
def attach_backup_storage(
    tx: Transaction, request: AttachBackupStorageToZone, caller: Caller
) -> BackupStorage:
    """A reference."""
    storage = tx.get(BackupStorage, request.backup_storage_uuid)
    zone = tx.get(Zone, request.zone_uuid)
    if not tx.exists(BackupStorageZoneRef, backup_storage_uuid=storage.uuid, zone_uuid=zone.uuid):
        tx.insert(
            BackupStorageZoneRef(uuid=tx.new_uuid(), backup_storage_uuid=storage.uuid, zone_uuid=zone.uuid)
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
    if images:
        raise OperationFailed(
            f"backup storage {storage.name}[uuid:{storage.uuid}] holds {images} images; delete them first"
        )
    jobs.overtake(tx, storage.uuid, Cancelled("the backup storage was deleted"))
    return promise(tx, request, tx.update(storage, intended="Absent"), caller)


def folder(url: str) -> str:
    """A storage's folder, checked: absolute, plain, and not one of the system's."""
    if not re.fullmatch(r"/[A-Za-z0-9._/@+-]*", url) or ".." in url.split("/"):
        raise InvalidArgument(f"url[{url}] is not an absolute path of letters, digits, and . _ - @ + /")
    path = posixpath.normpath(url)
    if path == "/" or any(path == system or path.startswith(system + "/") for system in SYSTEM_FOLDERS):
        raise InvalidArgument(f"url[{url}] is a folder of the system; choose one for storage alone")
    return path


def same_zone(zone_uuid: str, cluster: Cluster, what: str) -> None:
    """Refuse to attach across zones."""
    if cluster.zone_uuid != zone_uuid:
        raise InvalidArgument(
            f"{what} and cluster {cluster.name}[uuid:{cluster.uuid}] are in different zones"
        )


def _same_hypervisor(storage: PrimaryStorage, cluster: Cluster) -> None:
    """Refuse simulated storage on real hosts, and the other way round."""
    simulated = storage.type == PRIMARY_TYPE
    if simulated != (cluster.hypervisor_type == HYPERVISOR):
        raise InvalidArgument(
            f"primary storage {storage.name}[uuid:{storage.uuid}] is a {storage.type}, which is for clusters of "
            f"hypervisorType {HYPERVISOR if simulated else 'KVM'}; cluster {cluster.name}[uuid:{cluster.uuid}] is "
            f"for {cluster.hypervisor_type}"
        )


def promise(tx: Transaction, request: Message, target: Resource, caller: Caller) -> Promise:
    """A job on a resource, for the caller."""
    return Promise(jobs.begin(tx, request, target, job_uuid=caller.call_id, account_uuid=caller.account_uuid))
