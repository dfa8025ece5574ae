"""What requests about snapshots mean."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import Any

from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.message import Message
from appliance.api.snapshot import (
    CreateVolumeSnapshot,
    DeleteVolumeSnapshot,
    GetVolumeSnapshotTree,
    RevertVolumeFromSnapshot,
    UpdateVolumeSnapshot,
    VolumeSnapshot,
    VolumeSnapshotTree,
)
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.reconcile.snapshot_rows import image_below, latest_of, stand_on
from appliance.reconcile.vm_state import change_vm
from appliance.resources.creating import add, given, uuid_for
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles, reads
from appliance.resources.vm_allowed import allowed
from appliance.resources.volume import refuse_busy, refuse_deleted
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(CreateVolumeSnapshot)
def create_snapshot(tx: Transaction, request: CreateVolumeSnapshot, caller: Caller) -> Promise:
    """The file that is written becomes the snapshot's, and the volume's is a new one on top."""
    volume = _ready(tx, tx.get(Volume, request.volume_uuid), request)
    parent, uuid = latest_of(tx, volume), uuid_for(tx, request, VolumeSnapshot)
    made = add(
        tx,
        request,
        VolumeSnapshot(
            uuid=uuid,
            name=request.name,
            description=request.description,
            volume_uuid=volume.uuid,
            tree_uuid=parent.tree_uuid if parent is not None else _planted(tx, volume).uuid,
            parent_uuid=parent.uuid if parent is not None else None,
            primary_storage_uuid=volume.primary_storage_uuid,
            primary_storage_install_path=str(volume.install_path),
            volume_type=volume.type,
            format=volume.format,
            host_uuid=volume.host_uuid,
        ),
    )
    stand_on(tx, volume, made)
    tx.update(volume, install_path=_beside(volume, uuid), overlay=True)
    return _begun(tx, request, volume, parent, caller)


def _planted(tx: Transaction, volume: Volume) -> VolumeSnapshotTree:
    """A tree of its own for a volume that builds on no snapshot, though others of it may be kept."""
    image_uuid = volume.root_image_uuid
    return tx.insert(
        VolumeSnapshotTree(uuid=tx.new_uuid(), volume_uuid=volume.uuid, root_image_uuid=image_uuid)
    )


@handles(RevertVolumeFromSnapshot)
def revert_volume(tx: Transaction, request: RevertVolumeFromSnapshot, caller: Caller) -> Promise:
    """A new file on top of the snapshot's, in place of the one that was written."""
    target = tx.get(VolumeSnapshot, request.uuid)
    volume = _ready(tx, tx.get(Volume, target.volume_uuid), request)
    if target.status != "Ready" or target.state != "Enabled":
        raise OperationFailed(
            f"snapshot[uuid:{target.uuid}] is {target.status} and {target.state}, can't revert"
        )
    latest = latest_of(tx, volume)
    stand_on(tx, volume, target)
    fresh = _beside(volume, tx.new_uuid())
    tx.update(
        volume,
        install_path=fresh,
        abandoned=volume.install_path,
        overlay=True,
        root_image_uuid=image_below(tx, target),
    )
    return _begun(tx, request, volume, latest, caller)


@handles(DeleteVolumeSnapshot)
def delete_snapshot(tx: Transaction, request: DeleteVolumeSnapshot, caller: Caller) -> Promise | None:
    """It and all on top of it go; what of them the volume needs goes into its file first."""
    target = tx.find(VolumeSnapshot, request.uuid)
    if target is None:
        return None
    volume = _ready(tx, tx.get(Volume, target.volume_uuid), request)
    latest = latest_of(tx, volume)
    going = _with_descendants(tx, target)
    for each in going:
        tx.update(each, status="Deleting", latest=False)
    if any(each.latest for each in going) and target.parent_uuid is not None:
        tx.update(tx.get(VolumeSnapshot, target.parent_uuid), latest=True)
    return _begun(tx, request, volume, latest, caller)


@handles(UpdateVolumeSnapshot)
def update_snapshot(tx: Transaction, request: UpdateVolumeSnapshot, caller: Caller) -> VolumeSnapshot:
    """The row's words."""
    return tx.update(tx.get(VolumeSnapshot, request.uuid), **given(request, "name", "description"))


@reads(GetVolumeSnapshotTree)
def get_tree(snapshot: Snapshot, request: GetVolumeSnapshotTree, caller: Caller) -> dict[str, Any]:
    """Each tree with its snapshots in it, children below their parent."""
    if request.volume_uuid is None and request.tree_uuid is None:
        raise InvalidArgument("either volumeUuid or treeUuid must be set")
    where = {"uuid": request.tree_uuid} if request.tree_uuid else {"volume_uuid": request.volume_uuid}
    trees = snapshot.all(VolumeSnapshotTree, **where)
    return {"inventories": [{**snapshot.inventory(tree), "tree": _leaf(snapshot, tree)} for tree in trees]}


def _leaf(snapshot: Snapshot, tree: VolumeSnapshotTree) -> dict[str, Any]:
    found = snapshot.all(VolumeSnapshot, tree_uuid=tree.uuid, order_by="create_date")
    below: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    leaves = {}
    for each, inventory in zip(found, snapshot.inventories(found), strict=True):
        leaf: dict[str, Any] = {"inventory": inventory, "children": []}
        if each.parent_uuid is not None:
            leaf["parentUuid"] = each.parent_uuid
        leaves[each.uuid] = leaf
        below[each.parent_uuid].append(leaf)
    for uuid, leaf in leaves.items():
        leaf["children"] = below[uuid]
    return below[None][0] if below[None] else {}


def _ready(tx: Transaction, volume: Volume, request: Message) -> Volume:
    """The volume, if its files may be changed now."""
    refuse_deleted(volume)
    refuse_busy(tx, volume)  # it may just be leaving a VM that does not allow this
    vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    if vm is not None:
        allowed(tx, vm, request)
    if volume.status != "Ready":
        raise OperationFailed(
            f"volume[uuid:{volume.uuid}] is {volume.status}, and has no content yet; attach it to a VM first"
        )
    return volume


def _begun(
    tx: Transaction, request: Message, volume: Volume, former: VolumeSnapshot | None, caller: Caller
) -> Promise:
    """The promise that whoever has the volume now brings it there."""
    volume = tx.update(
        volume,
        chain_changes=True,
        former_snapshot=former.uuid if former is not None else None,
        generation=volume.generation + 1,
    )
    vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    target = volume if vm is None else change_vm(tx, vm, generation=vm.generation + 1)
    return promise(tx, request, target, caller)


def _with_descendants(snapshot: Snapshot, target: VolumeSnapshot) -> list[VolumeSnapshot]:
    found = [target]
    for each in found:
        found += snapshot.all(VolumeSnapshot, parent_uuid=each.uuid)
    return found


def _beside(volume: Volume, uuid: str) -> str:
    """A new file for a volume, in the folder of its snapshots."""
    folder = posixpath.dirname(str(volume.install_path))
    folder = folder if posixpath.basename(folder) == "snapshots" else f"{folder}/snapshots"
    return f"{folder}/{uuid}.qcow2"
