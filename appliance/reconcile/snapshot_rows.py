"""The snapshots of a volume as rows: what its file builds on, and what became of a change of that."""

from __future__ import annotations

from typing import Any

from agent.protocol import AnyRequest, EnsureOverlay, GrowVolume, OverlayMade
from appliance.api.snapshot import VolumeSnapshot, VolumeSnapshotTree
from appliance.api.tag import SystemTag, UserTag
from appliance.api.volume import Volume
from appliance.reconcile.capacity import recount_storage, resize_volume
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

JOBS = frozenset({"CreateVolumeSnapshot", "DeleteVolumeSnapshot", "RevertVolumeFromSnapshot"})
"""Calls that end when a volume's host has its files as they should be."""

OVERLAYS = JOBS - {"DeleteVolumeSnapshot"}
"""Those of them that give a volume a new file. Its guest may write to that already, so that they are carried out
even if another call ends the VM."""


def latest_of(snapshot: Snapshot, volume: Volume) -> VolumeSnapshot | None:
    """The snapshot that a volume is on top of."""
    return snapshot.first(VolumeSnapshot, volume_uuid=volume.uuid, latest=True)


def stand_on(tx: Transaction, volume: Volume, kept: VolumeSnapshot | None) -> None:
    """Have a volume be on top of a snapshot of it, or of none: the others, and their trees, are kept beside it."""
    for each in tx.all(VolumeSnapshot, volume_uuid=volume.uuid):
        is_latest = kept is not None and each.uuid == kept.uuid
        if each.latest != is_latest:
            tx.update(each, latest=is_latest)
    for tree in tx.all(VolumeSnapshotTree, volume_uuid=volume.uuid):
        is_current = kept is not None and tree.uuid == kept.tree_uuid
        if tree.current != is_current:
            tx.update(tree, current=is_current)


def image_below(snapshot: Snapshot, kept: VolumeSnapshot | None) -> str | None:
    """The image that a snapshot's tree builds on; None of a volume that stands alone, beside its snapshots."""
    tree = snapshot.find(VolumeSnapshotTree, kept.tree_uuid) if kept is not None else None
    return tree.root_image_uuid if tree is not None else None


def settle_chain(tx: Transaction, volume: Volume) -> None:
    """The host has the files that are intended: new snapshots are ready, deleted ones forgotten."""
    if not volume.chain_changes:
        return
    for each in tx.all(VolumeSnapshot, volume_uuid=volume.uuid):
        if each.status == "Deleting":
            _forget(tx, each)
        elif each.status == "Creating":
            tx.update(each, status="Ready")
    _settled(tx, volume)


def turn_back_files(tx: Transaction, refused: AnyRequest | None) -> None:
    """Intend the file or the size that a volume had, where its host has refused to change that.

    Without a refusal its guest may be writing to the new file, or the file be larger: what is begun goes on then.
    """
    match refused:
        case EnsureOverlay(volume_uuid=uuid) | GrowVolume(volume_uuid=uuid):
            volume = tx.find(Volume, uuid)
        case _:
            return
    if volume is None:
        return
    if isinstance(refused, EnsureOverlay):
        turn_back_chain(tx, volume)
    elif volume.whole_size is not None and volume.whole_size < volume.size:
        resize_volume(tx, volume, volume.whole_size)


def turn_back_chain(tx: Transaction, volume: Volume) -> None:
    """A host has refused a new file for a volume: that writes where it did before."""
    if not volume.overlay:
        return
    made = tx.first(VolumeSnapshot, volume_uuid=volume.uuid, status="Creating")
    former = tx.find(VolumeSnapshot, volume.former_snapshot) if volume.former_snapshot else None
    stand_on(tx, volume, former)
    before, image_uuid = volume.abandoned, image_below(tx, former)
    if made is not None:
        _forget(tx, made)
        before, image_uuid = made.primary_storage_install_path, volume.root_image_uuid
    tx.update(
        volume,
        install_path=before,
        abandoned=volume.install_path,
        root_image_uuid=image_uuid,
        overlay=False,
        former_snapshot=None,
    )


def drop_snapshots(tx: Transaction, volume: Volume) -> None:
    """Forget every snapshot of a volume that goes."""
    for each in tx.all(VolumeSnapshot, volume_uuid=volume.uuid):
        _forget(tx, each)


def chain_files(snapshot: Snapshot, volume: Volume) -> dict[str, Any]:
    """What a volume's intent says of its files: what is below, what stays beside it, and what goes."""
    found = snapshot.all(VolumeSnapshot, volume_uuid=volume.uuid)
    latest = next((each for each in found if each.latest), None)
    gone = tuple(each.primary_storage_install_path for each in found if each.status == "Deleting")
    return {
        "below": latest.primary_storage_install_path if latest is not None else None,
        "fresh": volume.overlay,
        "dropped": (*gone, *((volume.abandoned,) if volume.abandoned else ())),
        "beside": tuple(each.primary_storage_install_path for each in found if each.status != "Deleting"),
    }


def note_taken(tx: Transaction, volume_uuid: str, answer: OverlayMade) -> None:
    """What the file of a snapshot that was just taken takes, and whether the guest held still for it."""
    made = tx.first(VolumeSnapshot, volume_uuid=volume_uuid, status="Creating")
    if made is None:
        return
    tx.update(made, size=answer.backing_bytes, quiesced=answer.quiesced)
    if answer.quiesced:
        tx.note("SnapshotQuiesced", f"{made.name}: taken while the guest held its writes back", about=made)
    elif answer.quiesced is False:
        why = f"{made.name}: taken without the guest holding its writes back, since {answer.reason}"
        tx.note("SnapshotNotQuiesced", why, about=made)


def _settled(tx: Transaction, volume: Volume) -> None:
    tx.update(volume, overlay=False, chain_changes=False, abandoned=None, former_snapshot=None)
    if volume.primary_storage_uuid is not None:
        recount_storage(tx, volume.primary_storage_uuid)


def _forget(tx: Transaction, each: VolumeSnapshot) -> None:
    for kind in (SystemTag, UserTag):
        for tag in tx.all(kind, resource_uuid=each.uuid):
            tx.delete(tag)
    tx.delete(each)
    if not tx.exists(VolumeSnapshot, tree_uuid=each.tree_uuid):
        tree = tx.find(VolumeSnapshotTree, each.tree_uuid)
        if tree is not None:
            tx.delete(tree)
