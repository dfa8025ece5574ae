"""What deleting a data volume means, taking it back, and removing it for good."""

from __future__ import annotations

from appliance.api.errors import Cancelled, InvalidArgument, OperationFailed
from appliance.api.storage import PrimaryStorage
from appliance.api.vm import VmInstance
from appliance.api.volume import DeleteDataVolume, ExpungeDataVolume, RecoverDataVolume, Volume
from appliance.reconcile import jobs
from appliance.reconcile.capacity import recount_storage
from appliance.reconcile.recycle_bin import take_out
from appliance.reconcile.vm_volume import delete_released, intended_by_policy
from appliance.resources.promising import promise
from appliance.resources.quota import check_quota
from appliance.resources.registry import Caller, Promise, handles
from appliance.resources.vm_allowed import allowed
from appliance.resources.volume import (
    check_room,
    refuse_busy,
    refuse_kept,
    refuse_moving,
)
from appliance.resources.volume_attach import take_from
from appliance.store.transaction import Transaction


@handles(DeleteDataVolume)
def delete_volume(tx: Transaction, request: DeleteDataVolume, caller: Caller) -> Promise | None:
    """Deleted or absent, as the deletion policy says, once its VM has let go of it."""
    volume = tx.find(Volume, request.uuid)
    if volume is None:
        return None
    if volume.type == "Root":
        raise InvalidArgument(f"volume[uuid:{volume.uuid}] is Root volume, can't be deleted")
    if volume.status == "Deleted" or volume.intended != "Present":
        raise OperationFailed(f"volume[uuid:{volume.uuid}] is already in status of deleted")
    intended = intended_by_policy(tx)
    vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    refuse_moving(volume)
    refuse_kept(tx, volume)
    if vm is None:
        jobs.doom_all(tx, volume.uuid, Cancelled("the volume was deleted"))
        never = volume.whole_size is None and volume.install_path is not None
        return _delete(tx, request, tx.update(volume, intended="Absent" if never else intended), caller)
    allowed(tx, vm, request)
    refuse_busy(tx, volume)
    volume = tx.update(volume, intended=intended)
    return promise(tx, request, take_from(tx, volume, vm), caller)


def _delete(tx: Transaction, request: DeleteDataVolume, volume: Volume, caller: Caller) -> Promise | None:
    """Of a volume that no VM has: done, or a promise that its file goes."""
    left = delete_released(tx, volume)
    return promise(tx, request, left, caller) if left is not None and left.intended == "Absent" else None


@handles(RecoverDataVolume)
def recover_volume(tx: Transaction, request: RecoverDataVolume, caller: Caller) -> Volume:
    """Ready again, or nowhere yet as before; its room is taken once more."""
    volume = tx.get(Volume, request.uuid)
    if volume.status != "Deleted":
        not_deleted = OperationFailed(
            f"the volume[uuid:{volume.uuid}] is not in status of deleted. This is operation is to recover a "
            f"deleted data volume"
        )
        raise _if_leaving(not_deleted, volume)
    if volume.intended == "Absent":
        raise OperationFailed(
            f"the volume[uuid:{volume.uuid}] is being removed, and cannot be recovered any more"
        )
    volume = take_back(tx, volume)
    if not caller.is_admin:
        check_quota(tx, caller.account_uuid)
    return volume


def take_back(tx: Transaction, volume: Volume) -> Volume:
    """A volume out of the recycle bin, if its storage has room for it."""
    if volume.primary_storage_uuid is not None:
        check_room(tx, tx.get(PrimaryStorage, volume.primary_storage_uuid), volume.host_uuid, volume.size)
    status = "NotInstantiated" if volume.install_path is None else "Ready"
    volume = tx.update(volume, status=status, intended="Present", generation=volume.generation + 1)
    take_out(tx, volume.uuid)
    if volume.primary_storage_uuid is not None:
        recount_storage(tx, volume.primary_storage_uuid)
    return volume


@handles(ExpungeDataVolume)
def expunge_volume(tx: Transaction, request: ExpungeDataVolume, caller: Caller) -> Promise | None:
    """Absent, whatever the policy."""
    volume = tx.get(Volume, request.uuid)
    if volume.status != "Deleted":
        not_yet = OperationFailed(f"the volume[uuid:{volume.uuid}] is not deleted yet, can't expunge it")
        raise _if_leaving(not_yet, volume)
    volume = tx.update(volume, intended="Absent", generation=volume.generation + 1)
    left = delete_released(tx, volume)
    return promise(tx, request, left, caller) if left is not None else None


def _if_leaving(error: OperationFailed, volume: Volume) -> OperationFailed:
    """The same refusal; one that is being deleted waits until its VM has let go of the volume."""
    return error if volume.intended == "Present" else error.passes(volume.name_, volume.uuid)
