"""What requests about hosts mean."""

from __future__ import annotations

from appliance.api.cluster import Cluster
from appliance.api.counting import counted
from appliance.api.errors import AddHostFailed, ApiError, Cancelled, InvalidArgument, OperationFailed
from appliance.api.host import (
    AddKVMHost,
    ChangeHostState,
    DeleteHost,
    Host,
    ReconnectHost,
    UpdateHost,
    UpdateKVMHost,
)
from appliance.api.move import VmMove, VolumeMove
from appliance.hosts.fleet import Target
from appliance.reconcile import jobs
from appliance.reconcile.context import accepted_by
from appliance.reconcile.machine import ask_connection
from appliance.reconcile.maintenance import empty, leave
from appliance.reconcile.observe import vms_on
from appliance.reconcile.reading import readings_on
from appliance.reconcile.vm_move_rows import vm_moves_on
from appliance.reconcile.volume_move_rows import volume_moves_on
from appliance.reconcile.volume_rows import volumes_on
from appliance.resources.creating import add, check_uuid, given, uuid_for
from appliance.resources.host_key import keep_key, trust
from appliance.resources.registry import Caller, Live, Promise, asks_host, handles
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@asks_host(AddKVMHost)
async def add_kvm_host(live: Live, request: AddKVMHost, caller: Caller) -> Promise:
    """Trust first, with the password that is never stored; then the row, and the job that connects it."""
    await live.database.read(lambda snapshot: _check_new(snapshot, request))
    target = Target(request.management_ip, request.ssh_port, request.username, accepted_by="AddKVMHost …")
    try:
        believed = await trust(live, target, request.password, request.host_key_fingerprint)
    except ApiError as failed:
        raise AddHostFailed(
            f"managementIp[{request.management_ip}]: {failed.details}", cause=failed
        ) from failed
    return await live.database.write(lambda tx: _add_row(tx, request, caller, target, believed=believed))


def _check_new(snapshot: Snapshot, request: AddKVMHost) -> None:
    refuse_address(snapshot, request.management_ip)
    check_uuid(snapshot, request, Host)
    cluster = snapshot.get(Cluster, request.cluster_uuid)
    check_hypervisor(cluster, "KVM")


def refuse_address(snapshot: Snapshot, address: str, *, besides: str = "") -> None:
    """Refuse an address that a host has, other than the one named."""
    found = snapshot.first(Host, management_ip=address)
    if found is not None and found.uuid != besides:
        raise InvalidArgument(f"there has been a host having managementIp[{address}]")


def check_hypervisor(cluster: Cluster, hypervisor: str) -> None:
    """Refuse a host in a cluster that is for others."""
    if cluster.hypervisor_type != hypervisor:
        raise InvalidArgument(
            f"cluster {cluster.name}[uuid:{cluster.uuid}] is for {cluster.hypervisor_type}, "
            f"not for {hypervisor} hosts"
        )


def _add_row(
    tx: Transaction, request: AddKVMHost, caller: Caller, target: Target, *, believed: bool
) -> Promise:
    _check_new(tx, request)
    host = Host(
        uuid=uuid_for(tx, request, Host),
        name=request.name,
        description=request.description,
        zone_uuid=tx.get(Cluster, request.cluster_uuid).zone_uuid,
        cluster_uuid=request.cluster_uuid,
        management_ip=request.management_ip,
        ssh_port=request.ssh_port,
        username=request.username,
    )
    added = keep_key(tx, add(tx, request, host), target, believed=believed)
    return _promise(tx, request, added, caller)


@asks_host(UpdateKVMHost)
async def update_kvm_host(live: Live, request: UpdateKVMHost, caller: Caller) -> dict[str, object]:
    """New words or a new address; a password installs the key once more, a fingerprint pins the host's.

    A host that could not be entered is tried at once with what is trusted now.
    """
    host = await live.database.read(lambda snapshot: snapshot.get(Host, request.uuid))
    if host.hypervisor_type != "KVM":
        raise InvalidArgument(f"host {host.name}[uuid:{host.uuid}] is no KVM host; use UpdateHost")
    trusting = request.password is not None or request.host_key_fingerprint is not None
    target = Target(
        request.management_ip or host.management_ip,
        request.ssh_port or host.ssh_port,
        request.username or host.username,
        accepted_by=accepted_by(host),
    )
    believed = trusting and await trust(
        live, target, request.password or "", request.host_key_fingerprint, host_uuid=host.uuid
    )

    def write(tx: Transaction) -> dict[str, object]:
        updated = keep_key(tx, _update(tx, request, "username", "ssh_port"), target, believed=believed)
        if trusting and updated.status != "Connected" and updated.intended != "Absent":
            updated = ask_connection(tx, updated)
        return {"inventory": tx.inventory(updated)}

    return await live.database.write(write)


@handles(UpdateHost)
def update_host(tx: Transaction, request: UpdateHost, caller: Caller) -> Host:
    """New words or a new address."""
    return _update(tx, request)


def _update(tx: Transaction, request: UpdateHost | UpdateKVMHost, *more: str) -> Host:
    """What the call gives, unless another host has the address."""
    found = tx.get(Host, request.uuid)
    if request.management_ip:
        refuse_address(tx, request.management_ip, besides=found.uuid)
    return tx.update(found, **given(request, "name", "description", "management_ip", *more))


@handles(DeleteHost)
def delete_host(tx: Transaction, request: DeleteHost, caller: Caller) -> Promise | None:
    """Intended absent; its worker strips and forgets it."""
    host = tx.find(Host, request.uuid)
    if host is None:
        return None
    vms = vms_on(tx, host.uuid)
    if vms:
        names = ", ".join(vm.name for vm in vms[:5])
        raise OperationFailed(
            f"host {host.name}[uuid:{host.uuid}] holds {counted(len(vms), 'VM', 'VMs')} ({names}); "
            f"destroy or migrate them first"
        )
    volumes = volumes_on(tx, host)
    if volumes:
        names = ", ".join(volume.name for volume in volumes[:5])
        raise OperationFailed(
            f"host {host.name}[uuid:{host.uuid}] holds "
            f"{counted(len(volumes), 'data volume', 'data volumes')} ({names}); "
            f"delete and expunge or migrate them first"
        )
    moves: list[VolumeMove | VmMove] = [*volume_moves_on(tx, host)]
    moves += [move for move in vm_moves_on(tx, host) if move.phase != "moved"]
    if moves:
        names = ", ".join(move.name for move in moves[:5])
        raise OperationFailed(
            f"host {host.name}[uuid:{host.uuid}] has part in "
            f"{counted(len(moves), 'move', 'moves')} of VMs and volumes ({names}); wait for that, or cancel it"
        )
    readings = readings_on(tx, host)
    if readings:
        raise OperationFailed(
            f"volumes of host {host.name}[uuid:{host.uuid}] are being read by "
            f"{counted(len(readings), 'job', 'jobs')} ({', '.join(each.uuid for each in readings[:5])}); wait for "
            f"that, or cancel it"
        )
    jobs.doom_all(tx, host.uuid, Cancelled("the host was deleted"))
    return _promise(tx, request, tx.update(host, intended="Absent"), caller)


@handles(ReconnectHost)
def reconnect_host(tx: Transaction, request: ReconnectHost, caller: Caller) -> Promise:
    """One more connection asked for."""
    host = tx.get(Host, request.uuid)
    if host.intended == "Absent":
        raise OperationFailed(f"host {host.name}[uuid:{host.uuid}] is being deleted")
    return _promise(tx, request, ask_connection(tx, host), caller)


@handles(ChangeHostState)
def change_host_state(tx: Transaction, request: ChangeHostState, caller: Caller) -> Host | Promise:
    """Enabled or Disabled at once; into maintenance when its VMs have stopped, which its worker waits for."""
    host = tx.get(Host, request.uuid)
    if host.intended == "Absent":
        raise OperationFailed(f"host {host.name}[uuid:{host.uuid}] is being deleted")
    if request.state_event == "maintain":
        return _promise(tx, request, empty(tx, host), caller)
    return leave(tx, host, "Enabled" if request.state_event == "enable" else "Disabled")


def _promise(
    tx: Transaction,
    request: AddKVMHost | ChangeHostState | DeleteHost | ReconnectHost,
    host: Host,
    caller: Caller,
) -> Promise:
    return Promise(jobs.begin(tx, request, host, job_uuid=caller.call_id, account_uuid=caller.account_uuid))
