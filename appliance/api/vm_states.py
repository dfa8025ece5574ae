"""In which states of a VM what may be asked of it: refusals, and what completion offers, come from here."""

from __future__ import annotations

from appliance.api.vm import VmInstance

ALLOWED: dict[str, frozenset[str]] = {
    "StartVmInstance": frozenset({"Stopped"}),
    "StopVmInstance": frozenset({"Running", "Stopped", "Unknown"}),
    "RebootVmInstance": frozenset({"Running"}),
    "DestroyVmInstance": frozenset(
        {"Running", "Stopped", "Unknown", "Starting", "Stopping", "Migrating", "Rebooting", "Created",
         "Destroying", "Error"}
    ),
    "RecoverVmInstance": frozenset({"Destroyed"}),
    "ExpungeVmInstance": frozenset({"Destroyed"}),
    "GetVmConsoleAddress": frozenset({"Running"}),
    "GetVmConsolePassword": frozenset({"Running"}),
    "RequestConsoleAccess": frozenset({"Running"}),
    "ChangeInstanceOffering": frozenset({"Running", "Stopped"}),
    "AttachL3NetworkToVm": frozenset({"Running", "Stopped"}),
    "DetachL3NetworkFromVm": frozenset({"Running", "Stopped"}),
    "AttachIsoToVmInstance": frozenset({"Running", "Stopped"}),
    "DetachIsoFromVmInstance": frozenset({"Running", "Stopped"}),
    "AttachDataVolumeToVm": frozenset({"Running", "Stopped"}),
    "DetachDataVolumeFromVm": frozenset({"Running", "Stopped"}),
    "DeleteDataVolume": frozenset({"Running", "Stopped"}),
    "ResizeDataVolume": frozenset({"Running", "Stopped"}),
    "ResizeRootVolume": frozenset({"Running", "Stopped"}),
    "CreateVolumeSnapshot": frozenset({"Running", "Stopped"}),
    "DeleteVolumeSnapshot": frozenset({"Running", "Stopped"}),
    "RevertVolumeFromSnapshot": frozenset({"Stopped"}),
    "CreateRootVolumeTemplateFromRootVolume": frozenset({"Stopped"}),
    "CreateDataVolumeTemplateFromVolume": frozenset({"Stopped"}),
    "GetVmMigrationCandidateHosts": frozenset({"Running"}),
    "MigrateVm": frozenset({"Running"}),
}  # fmt: skip
"""Which states allow which message."""


PASSING = frozenset({"Starting", "Stopping", "Rebooting", "Destroying"})
"""States that a call has brought about and that end with it: what they do not allow waits its turn."""

READ_BESIDES = frozenset({"CreateRootVolumeTemplateFromRootVolume", "CreateDataVolumeTemplateFromVolume"})
"""What may be done with a VM while a volume of it is read: another may be read, too."""


def taken(vm: VmInstance, message: str = "") -> str:
    """Why a message may not be sent for a VM in whatever state it is, and what to do; empty when it may."""
    if vm.moving:
        return "it is being moved to another host; wait for that, or cancel its job"
    if vm.being_read and message not in READ_BESIDES:
        return "an image is being made of a volume of it; wait until that was read, or cancel its job"
    return ""
