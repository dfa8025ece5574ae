"""What requests about primary storage mean, and what all storage has in common."""

from __future__ import annotations

import asyncio
import posixpath
import re
from typing import Any

from agent.protocol import Capacity, EnsureStorage
from appliance.api.cluster import Cluster
from appliance.api.counting import counted
from appliance.api.errors import (
    ApiError,
    Cancelled,
    InvalidArgument,
    OperationFailed,
    PrimaryStorageFailed,
)
from appliance.api.host import Host
from appliance.api.simulator import HYPERVISOR, PRIMARY_TYPE
from appliance.api.storage import (
    AddLocalPrimaryStorage,
    AttachPrimaryStorageToCluster,
    ChangePrimaryStorageState,
    DeletePrimaryStorage,
    DetachPrimaryStorageFromCluster,
    LocalStorageHostRef,
    PrimaryStorage,
    PrimaryStorageClusterRef,
    ReconnectPrimaryStorage,
    SyncPrimaryStorageCapacity,
    UpdatePrimaryStorage,
)
from appliance.api.tag import CAN_SNAPSHOT
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.reconcile import jobs
from appliance.reconcile.capacity import recount_storage
from appliance.reconcile.context import target_of
from appliance.reconcile.host import put_capacity
from appliance.reconcile.inherent_tags import put_inherent_tag
from appliance.resources.creating import STATES, add, given, refuse_twins, uuid_for
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Live, Promise, asks_host, handles
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
    storage = add(tx, request, storage)
    put_inherent_tag(tx, storage, CAN_SNAPSHOT)
    return storage


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
            uuid=tx.new_uuid(),
            id=tx.largest(PrimaryStorageClusterRef, "id") + 1,
            primary_storage_uuid=storage.uuid,
            cluster_uuid=cluster.uuid,
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
        host = tx.find(Host, volume.host_uuid) if volume.host_uuid else None
        if host is not None and host.cluster_uuid == request.cluster_uuid:
            raise OperationFailed(
                f"volume {volume.name}[uuid:{volume.uuid}] is on it, on host {host.name}; delete and expunge it "
                f"first"
            )
    jobs.doom_all(tx, ref.uuid, Cancelled("the primary storage was detached"))
    return promise(tx, request, tx.update(ref, intended="Absent"), caller)


@handles(UpdatePrimaryStorage)
def update_primary_storage(tx: Transaction, request: UpdatePrimaryStorage, caller: Caller) -> PrimaryStorage:
    """The row's words."""
    return tx.update(tx.get(PrimaryStorage, request.uuid), **given(request, "name", "description"))


@handles(ChangePrimaryStorageState)
def change_primary_storage_state(
    tx: Transaction, request: ChangePrimaryStorageState, caller: Caller
) -> PrimaryStorage:
    """The row's state; maintenance needs its VMs stopped, since their disks are in use."""
    storage = tx.get(PrimaryStorage, request.uuid)
    if request.state_event != "maintain":
        return tx.update(storage, state=STATES[request.state_event])
    uuids = {volume.vm_instance_uuid for volume in tx.all(Volume, primary_storage_uuid=storage.uuid)}
    vms = tx.all(VmInstance, uuid=[uuid for uuid in uuids if uuid])
    running = sorted(vm.name for vm in vms if vm.intended == "Running" or vm.power == "on")
    if running:
        raise OperationFailed(
            f"primary storage {storage.name}[uuid:{storage.uuid}] is used by "
            f"{counted(len(running), 'VM', 'VMs')} ({', '.join(running[:5])}); stop them first"
        )
    return tx.update(storage, state="Maintenance")


@asks_host(ReconnectPrimaryStorage)
async def reconnect_primary_storage(
    live: Live, request: ReconnectPrimaryStorage, caller: Caller
) -> dict[str, Any]:
    """Its folder ensured on each connected host."""
    return await _ensure_everywhere(live, request.uuid)


@asks_host(SyncPrimaryStorageCapacity)
async def sync_primary_storage_capacity(
    live: Live, request: SyncPrimaryStorageCapacity, caller: Caller
) -> dict[str, Any]:
    """The same: a host that makes sure of a folder says how large it is."""
    return await _ensure_everywhere(live, request.primary_storage_uuid)


async def _ensure_everywhere(live: Live, uuid: str) -> dict[str, Any]:
    """Ask all connected hosts of a storage's clusters for it; `PrimaryStorageFailed` names those that failed."""
    storage, hosts = await live.database.read(lambda snapshot: _hosts_of(snapshot, uuid))
    failures: dict[str, ApiError] = {}

    async def ensure(host: Host) -> None:
        request = EnsureStorage(storage_uuid=storage.uuid, root=storage.url)
        try:
            capacity = await live.fleet.link(target_of(host)).ask(request, Capacity)
        except ApiError as failed:
            failures[host.name] = failed
            return
        await live.database.write(lambda tx: put_capacity(tx, storage.uuid, host.uuid, capacity))

    async with asyncio.TaskGroup() as group:
        for host in hosts:
            group.create_task(ensure(host), name=f"ensure {storage.name} on {host.name}")
    if failures:
        if len(failures) == len(hosts):
            await live.database.write(lambda tx: tx.update(storage, status="Disconnected"))
        said = "; ".join(f"host {name}: {error.details}" for name, error in sorted(failures.items())[:5])
        cause = next(iter(failures.values()))
        raise PrimaryStorageFailed(f"primary storage {storage.name}[uuid:{uuid}]: {said}", cause=cause)

    def write(tx: Transaction) -> dict[str, Any]:
        recount_storage(tx, uuid)
        return {"inventory": tx.inventory(tx.get(PrimaryStorage, uuid))}

    return await live.database.write(write)


def _hosts_of(snapshot: Snapshot, uuid: str) -> tuple[PrimaryStorage, list[Host]]:
    storage = snapshot.get(PrimaryStorage, uuid)
    refs = snapshot.all(PrimaryStorageClusterRef, primary_storage_uuid=uuid, intended="Present")
    clusters = [ref.cluster_uuid for ref in refs]
    hosts = snapshot.all(Host, cluster_uuid=clusters, intended="Present", order_by="name") if clusters else []
    connected = [host for host in hosts if host.status == "Connected"]
    if hosts and not connected:
        raise PrimaryStorageFailed(
            f"no host of primary storage {storage.name}[uuid:{uuid}] is Connected, of "
            f"{counted(len(hosts), 'host', 'hosts')}; reconnect one first"
        )
    return storage, connected


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
    tx.delete(storage)


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
