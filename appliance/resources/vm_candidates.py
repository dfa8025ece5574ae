"""Where a VM could go: hosts to move to."""

from __future__ import annotations

from typing import Any

from appliance.api.vm import GetVmMigrationCandidateHosts, VmInstance
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
