"""Where a running VM could go: hosts to move to."""

from __future__ import annotations

from typing import Any

from appliance.api.host import Host
from appliance.api.vm import GetVmMigrationCandidateHosts, VmInstance
from appliance.plans.placement import why_not
from appliance.resources.placing import move_options
from appliance.resources.registry import Caller, reads
from appliance.resources.vm_allowed import allowed
from appliance.resources.vm_move import cpu_trouble
from appliance.store.snapshot import Snapshot


@reads(GetVmMigrationCandidateHosts)
def get_migration_candidates(
    snapshot: Snapshot, request: GetVmMigrationCandidateHosts, caller: Caller
) -> dict[str, Any]:
    """The hosts that MigrateVm would take it to, and of the others why it would not."""
    vm = allowed(snapshot, snapshot.get(VmInstance, request.vm_instance_uuid), request)
    options, demand = move_options(snapshot, vm)
    source = snapshot.get(Host, str(vm.host_uuid))
    hosts, excluded = [], []
    for option in options:
        host = snapshot.get(Host, option.uuid)
        reason = vm.cannot_move or why_not(option, demand) or cpu_trouble(snapshot, vm, source, host)
        if reason is None:
            hosts.append(host)
        else:
            excluded.append({"hostUuid": host.uuid, "reason": reason})
    reply = {"inventories": snapshot.inventories(hosts)}
    return {**reply, "excluded": excluded} if excluded else reply
