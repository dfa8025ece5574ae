"""What a VM could have or where it could go: volumes to attach, hosts to move to."""

from __future__ import annotations

from typing import Any

from appliance.api.storage import PrimaryStorageClusterRef
from appliance.api.vm import GetVmAttachableDataVolume, GetVmMigrationCandidateHosts, VmInstance
from appliance.api.volume import Volume
from appliance.reconcile.vm_state import placed_on
from appliance.resources.placing import move_targets
from appliance.resources.registry import Caller, reads
from appliance.resources.vm_allowed import allowed
from appliance.store.snapshot import Snapshot


@reads(GetVmMigrationCandidateHosts)
def get_migration_candidates(
    snapshot: Snapshot, request: GetVmMigrationCandidateHosts, caller: Caller
) -> dict[str, Any]:
    """None while its disk is on the one host it runs on."""
    vm = allowed(snapshot.get(VmInstance, request.vm_instance_uuid), request)
    return {"inventories": snapshot.inventories(move_targets(snapshot, vm))}


@reads(GetVmAttachableDataVolume)
def get_attachable_volumes(
    snapshot: Snapshot, request: GetVmAttachableDataVolume, caller: Caller
) -> dict[str, Any]:
    """Enabled data volumes of nobody: those that are nowhere yet, and those where the VM is."""
    vm = snapshot.get(VmInstance, request.vm_instance_uuid)
    volumes = snapshot.all(Volume, type="Data", state="Enabled", vm_instance_uuid=None)
    fitting = [volume for volume in volumes if _within_reach(snapshot, volume, vm)]
    return {"inventories": snapshot.inventories(fitting)}


def _within_reach(snapshot: Snapshot, volume: Volume, vm: VmInstance) -> bool:
    if volume.status == "NotInstantiated":
        return True
    if volume.status != "Ready" or volume.host_uuid not in (None, placed_on(snapshot, vm)):
        return False
    return snapshot.exists(
        PrimaryStorageClusterRef,
        primary_storage_uuid=volume.primary_storage_uuid,
        cluster_uuid=vm.cluster_uuid,
        intended="Present",
    )
