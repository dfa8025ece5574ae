"""The move of a running VM as rows: the moment it is another host's, and its end."""

from __future__ import annotations

import json

from agent.protocol import MOVE_BROKE_OFF, MOVE_UNSAFE, MOVE_UNSAFE_WORDS
from appliance.api.errors import ApiError
from appliance.api.host import Host
from appliance.api.move import VmMove, VolumeMove
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.hosts.link import Refused
from appliance.reconcile import jobs
from appliance.reconcile.capacity import recount_host, recount_storage
from appliance.reconcile.move_rows import note_left_behind, rehome
from appliance.reconcile.vm_state import change_vm
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def vm_moves_on(snapshot: Snapshot, host: Host) -> list[VmMove]:
    """The moves of running VMs that a host has part in."""
    from_it = snapshot.all(VmMove, source_host_uuid=host.uuid)
    return [*from_it, *snapshot.all(VmMove, host_uuid=host.uuid)]


def move_of(snapshot: Snapshot, vm: VmInstance) -> VmMove | None:
    """The move that a running VM is on, if any."""
    found = snapshot.all(VmMove, vm_instance_uuid=vm.uuid) if vm.moving else []
    return next((move for move in found if move.phase != "moved"), None)


def leaves(tx: Transaction, planned: VmMove, files: list[str]) -> bool:
    """From here on only both hosts together tell where the VM is. False when it is to stay."""
    move = tx.find(VmMove, planned.uuid)
    if move is None or move.intended != "Present" or move.phase == "moved":
        return False
    tx.update(move, phase="moving", files=json.dumps(files))
    return True


def arrive(tx: Transaction, planned: VmMove) -> None:
    """The new host has the VM and its volumes from here on; what the old one has is left behind."""
    move = tx.find(VmMove, planned.uuid)
    vm = tx.find(VmInstance, planned.vm_instance_uuid)
    if move is None or vm is None or move.phase == "moved":
        return
    for each in tx.all(VolumeMove, vm_move_uuid=move.uuid):
        volume = tx.find(Volume, each.volume_uuid)
        if volume is not None:
            rehome(tx, volume, move.host_uuid)
        tx.delete(each)
        recount_storage(tx, each.primary_storage_uuid)
    host = tx.get(Host, move.host_uuid)
    nics = [nic.uuid for nic in tx.all(VmNic, vm_instance_uuid=vm.uuid)]
    tx.update(move, phase="moved", intended="Present", nics=json.dumps(nics))
    # What was seen of it was told by the clock of the host that it was on.
    vm = change_vm(
        tx, vm, cluster_uuid=host.cluster_uuid, zone_uuid=host.zone_uuid, moving=False, seen_at=0,
        generation=vm.generation + 1,
    )  # fmt: skip
    recount_host(tx, move.source_host_uuid)
    tx.note("VmMoved", f"{vm.name}: now on {host.name}", about=vm)
    for job in jobs.running(tx, move.uuid):
        # It may have been asked to stay when it had gone already.
        tx.update(job, failure=None, step="remove what was moved")


def leave_vm_behind(tx: Transaction, planned: VmMove, reason: str) -> None:
    """The old host cannot be cleared now: the call has what it wanted, and the rest goes when it can."""
    move = tx.find(VmMove, planned.uuid)
    if move is not None and _end(tx, move):
        note_left_behind(tx, move, reason)


def _end(tx: Transaction, move: VmMove) -> bool:
    """The calls that wanted a move have its end; False when none waits any more."""
    found = jobs.running(tx, move.uuid)
    vm = tx.find(VmInstance, move.vm_instance_uuid)
    for job in found:  # those of a VM that stays say the failure that it does for
        jobs.succeed(tx, job, {"inventory": tx.inventory(vm)} if vm is not None else {})
    return bool(found)


def stay(tx: Transaction, planned: VmMove, error: ApiError) -> bool:
    """The VM stays where it is; what has come to the new host goes. False once it has moved."""
    move = tx.find(VmMove, planned.uuid)
    if move is None or move.phase == "moved" or move.intended == "Absent":
        return False
    jobs.doom_all(tx, move.uuid, error)
    if isinstance(error, Refused) and error.refusal.code in (MOVE_BROKE_OFF, MOVE_UNSAFE):
        vm = tx.get(VmInstance, move.vm_instance_uuid)
        tx.update(vm, cannot_move=MOVE_UNSAFE_WORDS if vm.power == "on" else None)
    tx.update(move, intended="Absent", generation=move.generation + 1)
    return True


def forget_vm_move(tx: Transaction, planned: VmMove) -> None:
    """Nothing is left to do for a move: the VM may be changed again."""
    move = tx.find(VmMove, planned.uuid)
    if move is None:
        return
    for each in tx.all(VolumeMove, vm_move_uuid=move.uuid):
        volume = tx.find(Volume, each.volume_uuid)
        if volume is not None:
            tx.update(volume, status="Ready", generation=volume.generation + 1)
        tx.delete(each)
        recount_storage(tx, each.primary_storage_uuid)
    tx.delete(move)
    vm = tx.find(VmInstance, move.vm_instance_uuid)
    if vm is not None and move.phase != "moved":  # after which it may be on its way again
        change_vm(tx, vm, moving=False, generation=vm.generation + 1)
    recount_host(tx, move.host_uuid)
    _end(tx, move)
