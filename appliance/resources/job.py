"""What requests about jobs mean."""

from __future__ import annotations

import json

from appliance.api.errors import ApiError, Cancelled, OperationFailed
from appliance.api.host import Host
from appliance.api.image import Image
from appliance.api.job import TERMINAL, CancelLongJob, LongJob
from appliance.api.move import VmMove, VolumeMove
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup, VolumeRestore
from appliance.reconcile.image import fail_image
from appliance.reconcile.jobs import fail
from appliance.reconcile.maintenance import give_up as give_up_maintenance
from appliance.reconcile.snapshot_rows import JOBS as CHAIN_JOBS
from appliance.reconcile.vm_move_rows import stay
from appliance.reconcile.vm_settle import RESIZES, give_up
from appliance.reconcile.volume import give_up as give_up_volume
from appliance.reconcile.volume_backup_rows import give_up as give_up_backup
from appliance.reconcile.volume_move_rows import give_up as give_up_move
from appliance.reconcile.volume_restore_rows import give_up as give_up_restore
from appliance.resources.registry import Caller, handles
from appliance.store.transaction import Transaction


@handles(CancelLongJob)
def cancel_long_job(tx: Transaction, request: CancelLongJob, caller: Caller) -> LongJob:
    """The intent of the job turned around; its worker undoes what was done."""
    job = tx.get(LongJob, request.uuid)
    if job.state in TERMINAL:
        raise OperationFailed(f"job[uuid:{job.uuid}] is {job.state}")
    if job.failure is not None and ApiError.from_wire(json.loads(job.failure)).code == Cancelled.code:
        return job  # under way: what was done is being undone
    give_up_job(tx, job, Cancelled("cancelled by its caller"))
    return tx.get(LongJob, job.uuid)


def give_up_job(tx: Transaction, job: LongJob, error: ApiError) -> None:
    """Have a job that is under way end with an error, once what it did is undone: at once while it is Queued.

    Raises OperationFailed when it is past the point where that is safe.
    """
    if job.state == "Queued":
        fail(tx, job, error)
        return
    if job.name in CHAIN_JOBS | RESIZES:
        raise OperationFailed(
            f"{job.name} cannot be cancelled: what it changes on the host may be so already"
        )
    host = tx.find(Host, job.target_resource_uuid)
    vm = tx.find(VmInstance, job.target_resource_uuid)
    volume = tx.find(Volume, job.target_resource_uuid or "")
    image = tx.find(Image, job.target_resource_uuid)
    move = tx.find(VolumeMove, job.target_resource_uuid or "")
    leaving = tx.find(VmMove, job.target_resource_uuid or "")
    backup = tx.find(VolumeBackup, job.target_resource_uuid or "")
    restore = tx.find(VolumeRestore, job.target_resource_uuid or "")
    if (
        (backup is not None and give_up_backup(tx, backup, error))
        or (restore is not None and give_up_restore(tx, restore, error))
        or (move is not None and give_up_move(tx, move, error))
        or (leaving is not None and stay(tx, leaving, error))
        or (host is not None and job.name == "ChangeHostState" and give_up_maintenance(tx, host, error))
    ):
        pass
    elif vm is not None and vm.intended in {"Running", "Stopped"}:
        give_up(tx, vm, error)
    elif volume is not None and volume.intended == "Present":
        give_up_volume(tx, volume, error)
    elif image is not None and fail_image(tx, image, error):
        pass
    else:
        raise OperationFailed(f"{job.name} cannot be cancelled: it is past the point where that is safe")
