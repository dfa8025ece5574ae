"""What requests about offerings mean."""

from __future__ import annotations

from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.offering import (
    LEAST_VMS,
    STRATEGIES,
    ChangeDiskOfferingState,
    ChangeInstanceOfferingState,
    CreateDiskOffering,
    CreateInstanceOffering,
    DeleteDiskOffering,
    DeleteInstanceOffering,
    DiskOffering,
    InstanceOffering,
    UpdateDiskOffering,
    UpdateInstanceOffering,
)
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.resources.creating import STATES, add, given, uuid_for
from appliance.resources.registry import Caller, handles
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

DISK_STRATEGIES = ("DefaultPrimaryStorageAllocationStrategy",)


@handles(CreateInstanceOffering)
def create_instance_offering(
    tx: Transaction, request: CreateInstanceOffering, caller: Caller
) -> InstanceOffering:
    """A row."""
    if request.type not in (None, "UserVm"):
        raise InvalidArgument(
            f"type[{request.type}] is no kind of VM that an offering can be for; say UserVm"
        )
    offering = InstanceOffering(
        uuid=uuid_for(tx, request, InstanceOffering),
        name=request.name,
        description=request.description,
        cpu_num=request.cpu_num,
        cpu_speed=request.cpu_speed,
        memory_size=request.memory_size,
        allocator_strategy=_one_of(STRATEGIES, "allocatorStrategy", request.allocator_strategy or LEAST_VMS),
        sort_key=request.sort_key,
    )
    return add(tx, request, offering)


@handles(UpdateInstanceOffering)
def update_instance_offering(
    tx: Transaction, request: UpdateInstanceOffering, caller: Caller
) -> InstanceOffering:
    """The row's words."""
    return tx.update(tx.get(InstanceOffering, request.uuid), **given(request, "name", "description"))


@handles(ChangeInstanceOfferingState)
def change_instance_offering_state(
    tx: Transaction, request: ChangeInstanceOfferingState, caller: Caller
) -> InstanceOffering:
    """The row's state."""
    return tx.update(tx.get(InstanceOffering, request.uuid), state=STATES[request.state_event])


@handles(DeleteInstanceOffering)
def delete_instance_offering(tx: Transaction, request: DeleteInstanceOffering, caller: Caller) -> None:
    """Gone; VMs keep their own figures."""
    offering = tx.find(InstanceOffering, request.uuid)
    if offering is None:
        return
    if tx.flag("vm", "instanceOffering.setNullWhenDeleting"):
        for vm in tx.all(VmInstance, instance_offering_uuid=offering.uuid):
            tx.update(vm, instance_offering_uuid=None, last_op_date=vm.last_op_date)
    tx.delete(offering)


@handles(CreateDiskOffering)
def create_disk_offering(tx: Transaction, request: CreateDiskOffering, caller: Caller) -> DiskOffering:
    """A row."""
    strategy = request.allocation_strategy or DISK_STRATEGIES[0]
    offering = DiskOffering(
        uuid=uuid_for(tx, request, DiskOffering),
        name=request.name,
        description=request.description,
        disk_size=request.disk_size,
        sort_key=request.sort_key,
        allocator_strategy=_one_of(DISK_STRATEGIES, "allocationStrategy", strategy),
    )
    return add(tx, request, offering)


@handles(UpdateDiskOffering)
def update_disk_offering(tx: Transaction, request: UpdateDiskOffering, caller: Caller) -> DiskOffering:
    """The row's words."""
    return tx.update(tx.get(DiskOffering, request.uuid), **given(request, "name", "description"))


@handles(ChangeDiskOfferingState)
def change_disk_offering_state(
    tx: Transaction, request: ChangeDiskOfferingState, caller: Caller
) -> DiskOffering:
    """The row's state."""
    return tx.update(tx.get(DiskOffering, request.uuid), state=STATES[request.state_event])


@handles(DeleteDiskOffering)
def delete_disk_offering(tx: Transaction, request: DeleteDiskOffering, caller: Caller) -> None:
    """Gone; disks keep their own size."""
    offering = tx.find(DiskOffering, request.uuid)
    if offering is None:
        return
    if tx.flag("volume", "diskOffering.setNullWhenDeleting"):
        for volume in tx.all(Volume, disk_offering_uuid=offering.uuid):
            tx.update(volume, disk_offering_uuid=None, last_op_date=volume.last_op_date)
    tx.delete(offering)


def enabled_instance_offering(snapshot: Snapshot, uuid: str) -> InstanceOffering:
    """The offering, if VMs may be made with it."""
    offering = snapshot.get(InstanceOffering, uuid)
    if offering.state != "Enabled":
        raise OperationFailed(f"instance offering[uuid:{uuid}] is {offering.state}, can't create vm from it")
    return offering


def _one_of(known: tuple[str, ...], wire: str, value: str) -> str:
    if value not in known:
        raise InvalidArgument(f"{wire}[{value}] is not one of {', '.join(known)}")
    return value
