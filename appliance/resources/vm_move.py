"""What moving a running VM to another host means: where it may go, and what that promises."""

from __future__ import annotations

from dataclasses import replace

from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.host import Host
from appliance.api.move import MigrateVm, VmMove, VolumeMove
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.plans.placement import choose_host
from appliance.reconcile.capacity import recount_host, recount_storage
from appliance.reconcile.vm_nic import nics_of
from appliance.reconcile.vm_state import change_vm
from appliance.resources.creating import asked
from appliance.resources.placing import bytes_of, move_options
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles
from appliance.resources.vm_allowed import allowed
from appliance.resources.volume import refuse_busy
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(MigrateVm)
def migrate_vm(tx: Transaction, request: MigrateVm, caller: Caller) -> Promise:
    """Rows that say where it goes, with the room that it takes there; a worker has it go."""
    vm = allowed(tx, tx.get(VmInstance, request.vm_instance_uuid), request)
    if request.host_uuid is not None and request.host_uuid == vm.host_uuid:
        raise InvalidArgument(f"VM[uuid:{vm.uuid}] is already on the host[uuid:{vm.host_uuid}]")
    if vm.cannot_move is not None:
        raise OperationFailed(f"VM {vm.name}[uuid:{vm.uuid}]: {vm.cannot_move}")
    volumes = tx.all(Volume, vm_instance_uuid=vm.uuid)
    for volume in volumes:
        refuse_busy(tx, volume)
    if any(nic.ip is None or nic.intended != "Present" for nic in nics_of(tx, vm)):
        raise OperationFailed(
            f"a NIC of VM[uuid:{vm.uuid}] is being changed by another call; try again later"
        ).passes(vm.name_, vm.uuid)
    options, demand = move_options(tx, vm)
    demand = replace(demand, designated=request.host_uuid, asked=asked(request))
    host = tx.get(Host, choose_host(options, demand))
    source = tx.get(Host, str(vm.host_uuid))
    trouble = cpu_trouble(tx, vm, source, host)
    if trouble is not None:
        raise OperationFailed(f"host {host.name}[uuid:{host.uuid}] {trouble}")
    row = tx.insert(
        VmMove(
            uuid=tx.new_uuid(),
            vm_instance_uuid=vm.uuid,
            name=vm.name,
            source_host_uuid=source.uuid,
            host_uuid=host.uuid,
        )
    )
    for volume in volumes:
        _take_along(tx, row, volume)
    change_vm(tx, vm, moving=True)
    recount_host(tx, host.uuid)
    return promise(tx, request, row, caller)


def _take_along(tx: Transaction, row: VmMove, volume: Volume) -> None:
    """Promise a volume its room on the new host: whatever the storage, a host has the files of its own."""
    storage_uuid = str(volume.primary_storage_uuid)
    tx.update(volume, status="Migrating")
    tx.insert(
        VolumeMove(
            uuid=tx.new_uuid(),
            volume_uuid=volume.uuid,
            vm_move_uuid=row.uuid,
            name=volume.name,
            primary_storage_uuid=storage_uuid,
            source_host_uuid=row.source_host_uuid,
            host_uuid=row.host_uuid,
            size=bytes_of(tx, volume),
        )
    )
    recount_storage(tx, storage_uuid)


def cpu_trouble(snapshot: Snapshot, vm: VmInstance, source: Host, host: Host) -> str | None:
    """Why a running guest would find its CPU changed on a host; of host-model libvirt itself is the judge."""
    if source.accelerator != host.accelerator:
        return (
            f"runs its guests with {host.accelerator}, and VM[uuid:{vm.uuid}] runs with {source.accelerator} on host "
            f"{source.name}; stop the VM, then move its volumes with LocalStorageMigrateVolume"
        )
    mode = snapshot.setting("kvm", "vm.cpuMode")
    if mode == "host-passthrough" and source.cpu_model != host.cpu_model:
        return (
            f"has {host.cpu_model}, and VM[uuid:{vm.uuid}] sees the CPU of host {source.name}, {source.cpu_model}, "
            f"since the global config kvm vm.cpuMode is {mode}; set vm.cpuMode to none or host-model and start the VM "
            f"anew before it moves"
        )
    return None
