"""A move of a volume as rows: what it takes along, the moment it has moved, and its end."""

from __future__ import annotations

import json

from agent.protocol import FilesCopied
from appliance.api.counting import counted
from appliance.api.errors import ApiError, OperationFailed
from appliance.api.host import Host
from appliance.api.move import VolumeMove
from appliance.api.storage import LocalStorageResourceRef
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.reconcile import jobs
from appliance.reconcile.capacity import recount_storage
from appliance.reconcile.move_rows import note_left_behind, rehome
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def volume_moves_on(snapshot: Snapshot, host: Host) -> list[VolumeMove]:
    """The moves that a host has part in."""
    from_it = snapshot.all(VolumeMove, source_host_uuid=host.uuid)
    return [*from_it, *snapshot.all(VolumeMove, host_uuid=host.uuid)]


def verified(tx: Transaction, planned: VolumeMove, files: dict[str, str], copied: FilesCopied) -> None:
    """The new host has the same content: from here on nothing is copied again."""
    move = tx.find(VolumeMove, planned.uuid)
    if move is not None and move.intended == "Present" and move.phase == "copying":
        tx.update(move, phase="verified", files=json.dumps(files))
        tx.note(
            "VolumeCopied",
            f"{move.name}: {counted(len(files), 'file', 'files')} equal on both hosts, "
            f"{copied.sent_bytes} bytes sent last, in "
            f"{copied.sent_seconds:.2f} s",
            about=move,
        )


def flip(tx: Transaction, planned: VolumeMove) -> None:
    """The new host's files are the volume from here on, and what the old one has is left behind."""
    move = tx.find(VolumeMove, planned.uuid)
    volume = tx.find(Volume, planned.volume_uuid)
    if move is None or volume is None or move.intended != "Present" or move.phase != "verified":
        return
    vm = tx.find(VmInstance, move.vm_instance_uuid) if move.vm_instance_uuid else None
    if vm is not None and (vm.state != "Stopped" or vm.power == "on"):
        give_up(
            tx, move, OperationFailed(f"VM {vm.name}[uuid:{vm.uuid}] was started by somebody else meanwhile")
        )
        return
    rehome(tx, volume, move.host_uuid)
    nics: list[str] = []
    if vm is not None:
        nics = [nic.uuid for nic in tx.all(VmNic, vm_instance_uuid=vm.uuid)]
        host = tx.get(Host, move.host_uuid)
        place = {"last_host_uuid": host.uuid, "cluster_uuid": host.cluster_uuid, "zone_uuid": host.zone_uuid}
        # What was seen of it was told by the clock of the host that it was on.
        tx.update(vm, **place, moving=False, generation=vm.generation + 1, power="unseen", seen_at=0)
    tx.update(move, phase="moved", size=0, nics=json.dumps(nics))
    recount_storage(tx, move.primary_storage_uuid)


def leave_behind(tx: Transaction, planned: VolumeMove, reason: str) -> None:
    """The old host cannot be cleared now: the call has what it wanted, and the rest goes when it can."""
    move = tx.find(VolumeMove, planned.uuid)
    if move is not None and _end(tx, move):
        note_left_behind(tx, move, reason)


def _end(tx: Transaction, move: VolumeMove) -> bool:
    """The calls that wanted a move that was made have it; False when none waits any more."""
    found = jobs.running(tx, move.uuid)
    ref = tx.find(LocalStorageResourceRef, move.volume_uuid)
    for job in found:
        jobs.succeed(tx, job, {"inventory": tx.inventory(ref)} if ref is not None else {})
    return bool(found)


def give_up(tx: Transaction, planned: VolumeMove, error: ApiError) -> bool:
    """The volume stays where it is; what has come to the new host goes. False once it has moved."""
    move = tx.find(VolumeMove, planned.uuid)
    if move is None or move.phase == "moved" or move.intended == "Absent":
        return False
    jobs.doom_all(tx, move.uuid, error)
    tx.update(move, intended="Absent", generation=move.generation + 1)
    return True


def forget(tx: Transaction, planned: VolumeMove) -> None:
    """Nothing is left to do for a move: the volume may be used again."""
    move = tx.find(VolumeMove, planned.uuid)
    if move is None:
        return
    volume = tx.find(Volume, move.volume_uuid)
    if volume is not None and move.phase != "moved":
        tx.update(volume, status="Ready", generation=volume.generation + 1)
    vm = tx.find(VmInstance, move.vm_instance_uuid) if move.vm_instance_uuid else None
    if vm is not None and move.phase != "moved":  # after which it may be on its way again
        tx.update(vm, moving=False)
    _end(tx, move)  # with the failure that it was undone for, if it was
    tx.delete(move)
    recount_storage(tx, move.primary_storage_uuid)
