"""What requests about jobs mean."""

from __future__ import annotations

from appliance.api.errors import Cancelled, OperationFailed
from appliance.api.image import Image
from appliance.api.job import CancelLongJob, LongJob
from appliance.api.vm import VmInstance
from appliance.reconcile.image import fail_image
from appliance.reconcile.vm import give_up
from appliance.resources.registry import Caller, handles
from appliance.store.transaction import Transaction


@handles(CancelLongJob)
def cancel_long_job(tx: Transaction, request: CancelLongJob, caller: Caller) -> LongJob:
    """The intent of the job turned around; its worker undoes what was done."""
    job = tx.get(LongJob, request.uuid)
    if job.state != "Running":
        raise OperationFailed(f"job[uuid:{job.uuid}] is {job.state}")
    error = Cancelled("cancelled by its caller")
    vm = tx.find(VmInstance, job.target_resource_uuid)
    image = tx.find(Image, job.target_resource_uuid)
    if vm is not None and vm.intended in {"Running", "Stopped"}:
        give_up(tx, vm, error)
    elif image is not None and fail_image(tx, image, error):
        pass
    else:
        raise OperationFailed(f"{job.name} cannot be cancelled: it is past the point where that is safe")
    return tx.get(LongJob, job.uuid)
