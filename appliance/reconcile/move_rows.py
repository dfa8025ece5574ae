"""What moves of volumes and of VMs have in common, as rows: how fast they may, what they wait for and leave."""

from __future__ import annotations

from appliance.api.host import Host
from appliance.api.move import VmMove, VolumeMove
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.storage import LocalStorageResourceRef
from appliance.api.volume import Volume
from appliance.plans.outrun import Outrun
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def move_limit(snapshot: Snapshot) -> int:
    """Bytes a second of each volume that moves; 0 for no limit."""
    return int(snapshot.setting("localStorage", "migration.bytesPerSecond"))


def writes_too_fast(snapshot: Snapshot, outrun: Outrun) -> str:
    """What a move waits for that would not come to its end, and what can be done."""
    limit = move_limit(snapshot)
    if not limit:
        return _OUTRUN[outrun]
    if outrun == "memory":
        return (
            "its guest to write less: its memory changes about as fast as it is copied, which is "
            f"{limit} bytes a second at most; raise localStorage migration.bytesPerSecond, "
            "stop what writes in the guest, or cancel the job and move the VM stopped"
        )
    return (
        "its guest to write less: its disks change about as fast as they are copied, which is "
        f"{limit} bytes a second at most; raise localStorage migration.bytesPerSecond, "
        "stop what writes in the guest, or cancel the job and move the VM stopped"
    )


_OUTRUN: dict[Outrun, str] = {
    "disks": (
        "its guest to write less: its disks change about as fast as they are copied; "
        "stop what writes in the guest, or cancel the job and move the VM stopped"
    ),
    "memory": (
        "its guest to write less: its memory changes about as fast as it is copied; "
        "stop what writes in the guest, or cancel the job and move the VM stopped"
    ),
}


def note_left_behind(tx: Transaction, move: VolumeMove | VmMove, reason: str) -> None:
    """Say that what has left a host is still there, and why."""
    host = tx.find(Host, move.source_host_uuid)
    at = host.name if host is not None else "its former host"
    words = f"{move.name}: moved; what {at} has of it is removed when that can be done: {reason}"
    tx.note("SourceLeftForNow", words, level="warning", about=move)


def rehome(tx: Transaction, volume: Volume, host_uuid: str) -> None:
    """Another host has the files of a volume from here on, those of its snapshots too."""
    tx.update(volume, host_uuid=host_uuid, status="Ready", generation=volume.generation + 1)
    for each in tx.all(VolumeSnapshot, volume_uuid=volume.uuid):
        tx.update(each, host_uuid=host_uuid)
    ref = tx.find(LocalStorageResourceRef, volume.uuid)
    if ref is not None:
        tx.update(ref, host_uuid=host_uuid)


def is_being_cleared(snapshot: Snapshot, host_uuid: str) -> bool:
    """Whether files that have left a host are still to be removed there: until then none of them may come back."""
    left = {"source_host_uuid": host_uuid, "phase": "moved"}
    return snapshot.exists(VolumeMove, **left) or snapshot.exists(VmMove, **left)


def still_wanted(move: VolumeMove | VmMove | None) -> bool:
    """Whether a move is still to be made."""
    return move is not None and move.intended == "Present"
