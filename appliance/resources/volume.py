"""What requests about volumes mean."""

from __future__ import annotations

from typing import Any

from appliance.api.errors import OperationFailed
from appliance.api.volume import ChangeVolumeState, GetVolumeFormat, UpdateVolume, Volume
from appliance.resources.creating import given
from appliance.resources.registry import Caller, handles, reads
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

FORMATS = {"qcow2": "KVM", "raw": "KVM", "simulator": "Simulator"}
"""Each format, and the hypervisor that takes it."""


@handles(UpdateVolume)
def update_volume(tx: Transaction, request: UpdateVolume, caller: Caller) -> Volume:
    """The row's words."""
    return tx.update(tx.get(Volume, request.uuid), **given(request, "name", "description"))


@handles(ChangeVolumeState)
def change_volume_state(tx: Transaction, request: ChangeVolumeState, caller: Caller) -> Volume:
    """Enabled or Disabled: a disabled volume is attached to no VM."""
    volume = tx.get(Volume, request.uuid)
    if volume.status == "Deleted":
        raise OperationFailed(f"volume[uuid:{volume.uuid}] is in status of deleted, cannot do the operation")
    return tx.update(volume, state="Enabled" if request.state_event == "enable" else "Disabled")


@reads(GetVolumeFormat)
def get_volume_format(snapshot: Snapshot, request: GetVolumeFormat, caller: Caller) -> dict[str, Any]:
    """What volumes can be, and where."""
    return {
        "formats": [
            {"format": name, "masterHypervisorType": hypervisor, "supportingHypervisorTypes": [hypervisor]}
            for name, hypervisor in FORMATS.items()
        ]
    }
