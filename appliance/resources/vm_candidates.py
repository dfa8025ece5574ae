"""Where a running VM could go: hosts to move to."""

from __future__ import annotations

from typing import Any

from appliance.api.host import Host
from appliance.api.vm import GetVmMigrationCandidateHosts, VmInstance
from appliance.plans.placement import fitting
from appliance.resources.placing import move_options
from appliance.resources.registry import Caller, reads
from appliance.resources.vm_allowed import allowed
from appliance.store.snapshot import Snapshot


@reads(GetVmMigrationCandidateHosts)
def get_migration_candidates(
    snapshot: Snapshot, request: GetVmMigrationCandidateHosts, caller: Caller
) -> dict[str, Any]:
    """The hosts that MigrateVm would take it to."""
    vm = allowed(snapshot.get(VmInstance, request.vm_instance_uuid), request)
    left = fitting(*move_options(snapshot, vm))
    return {"inventories": snapshot.inventories([snapshot.get(Host, uuid) for uuid in left])}
