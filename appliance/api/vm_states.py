"""In which states of a VM what may be asked of it: refusals, and what completion offers, come from here."""

from __future__ import annotations

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
