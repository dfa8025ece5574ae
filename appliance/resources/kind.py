"""What there is a choice of, as each declares it."""

from __future__ import annotations

from typing import Any

from appliance.api.kind import (
    GetBackupStorageTypes,
    GetHostAllocatorStrategies,
    GetHypervisorTypes,
    GetL2NetworkTypes,
    GetL3NetworkTypes,
    GetNetworkServiceTypes,
    GetPrimaryStorageAllocatorStrategies,
    GetPrimaryStorageTypes,
    GetVolumeFormat,
)
from appliance.api.offering import STRATEGIES
from appliance.api.service import NetworkServiceProvider
from appliance.api.simulator import BACKUP_TYPE, FORMAT, HYPERVISOR, PRIMARY_TYPE
from appliance.resources.registry import Caller, reads
from appliance.store.snapshot import Snapshot


@reads(GetHypervisorTypes)
def get_hypervisor_types(snapshot: Snapshot, request: GetHypervisorTypes, caller: Caller) -> dict[str, Any]:
    """Real and simulated."""
    return {"hypervisorTypes": ["KVM", HYPERVISOR]}


@reads(GetHostAllocatorStrategies)
def get_host_allocator_strategies(
    snapshot: Snapshot, request: GetHostAllocatorStrategies, caller: Caller
) -> dict[str, Any]:
    """Those that an instance offering can have."""
    return {"hostAllocatorStrategies": list(STRATEGIES)}


@reads(GetPrimaryStorageTypes)
def get_primary_storage_types(
    snapshot: Snapshot, request: GetPrimaryStorageTypes, caller: Caller
) -> dict[str, Any]:
    """Real and simulated."""
    return {"primaryStorageTypes": ["LocalStorage", PRIMARY_TYPE]}


@reads(GetPrimaryStorageAllocatorStrategies)
def get_primary_storage_allocator_strategies(
    snapshot: Snapshot, request: GetPrimaryStorageAllocatorStrategies, caller: Caller
) -> dict[str, Any]:
    """The one with most room is taken."""
    return {"primaryStorageAllocatorStrategies": ["DefaultPrimaryStorageAllocationStrategy"]}


@reads(GetBackupStorageTypes)
def get_backup_storage_types(
    snapshot: Snapshot, request: GetBackupStorageTypes, caller: Caller
) -> dict[str, Any]:
    """Real and simulated."""
    return {"backupStorageTypes": ["SftpBackupStorage", BACKUP_TYPE]}


@reads(GetL2NetworkTypes)
def get_l2_network_types(snapshot: Snapshot, request: GetL2NetworkTypes, caller: Caller) -> dict[str, Any]:
    """With a VLAN and without."""
    return {"l2NetworkTypes": ["L2NoVlanNetwork", "L2VlanNetwork"]}


@reads(GetL3NetworkTypes)
def get_l3_network_types(snapshot: Snapshot, request: GetL3NetworkTypes, caller: Caller) -> dict[str, Any]:
    """There is one."""
    return {"l3NetworkTypes": ["L3BasicNetwork"]}


@reads(GetNetworkServiceTypes)
def get_network_service_types(
    snapshot: Snapshot, request: GetNetworkServiceTypes, caller: Caller
) -> dict[str, Any]:
    """What the providers say of themselves."""
    found: dict[str, list[str]] = {}
    for provider in snapshot.all(NetworkServiceProvider):
        for service in provider.network_service_types:
            found.setdefault(service, []).append(provider.type)
    return {"serviceAndProviderTypes": found}


@reads(GetVolumeFormat)
def get_volume_format(snapshot: Snapshot, request: GetVolumeFormat, caller: Caller) -> dict[str, Any]:
    """Each with the hypervisor that it is for."""
    formats = (("qcow2", "KVM"), ("raw", "KVM"), (FORMAT, HYPERVISOR))
    return {
        "formats": [
            {"format": name, "masterHypervisorType": of, "supportingHypervisorTypes": [of]}
            for name, of in formats
        ]
    }
