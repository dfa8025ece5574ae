"""A volume as rows: as its host should have it, deleted, and gone."""

from __future__ import annotations

from agent.protocol import EnsureVolume
from appliance.api.host import Host
from appliance.api.image import Image, ImageCache
from appliance.api.snapshot import VolumeSnapshotTree
from appliance.api.storage import PrimaryStorage
from appliance.api.template import VolumeReading
from appliance.api.volume import Volume
from appliance.plans import naming
from appliance.plans.volume import VolumeIntent
from appliance.reconcile import jobs
from appliance.reconcile.capacity import drop_volume, recount_storage
from appliance.reconcile.reading import forget_reading
from appliance.reconcile.recycle_bin import bin_volume, note_expunging, take_out
from appliance.reconcile.snapshot_rows import chain_files, drop_snapshots
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def volume_intent(snapshot: Snapshot, volume: Volume) -> VolumeIntent | None:
    """A volume as its host should have it; None while it has no place."""
    storage = snapshot.find(PrimaryStorage, volume.primary_storage_uuid or "")
    if storage is None or volume.install_path is None:
        return None
    bases = {uuid: _copy_of(snapshot, storage, uuid) for uuid in images_below(snapshot, volume)}
    backing = bases.get(volume.root_image_uuid or "")
    reading = snapshot.find(VolumeReading, volume.uuid) if volume.status == "Creating" else None
    return VolumeIntent(
        volume=EnsureVolume(
            volume_uuid=volume.uuid,
            path=volume.install_path,
            size_bytes=volume.size,
            backing=backing,
            backing_format="raw" if backing is not None and backing.endswith(".raw") else "qcow2",
        ),
        image_uuid=volume.root_image_uuid,
        bases={path: uuid for uuid, path in bases.items()},
        copy_of=reading.path if reading is not None else None,
        whole=volume.whole_size is not None,
        present=volume.intended != "Absent",
        **chain_files(snapshot, volume),
    )


def images_below(snapshot: Snapshot, volume: Volume) -> set[str]:
    """The images that files of a volume build on, those of its snapshots too."""
    trees = snapshot.all(VolumeSnapshotTree, volume_uuid=volume.uuid)
    found = {volume.root_image_uuid, *(tree.root_image_uuid for tree in trees)}
    return {uuid for uuid in found if uuid is not None}


def _copy_of(snapshot: Snapshot, storage: PrimaryStorage, image_uuid: str) -> str:
    """A host's copy of an image on a storage; of one that is gone the copies alone know what it was."""
    image = snapshot.find(Image, image_uuid)
    if image is None:
        for copy in snapshot.all(ImageCache, image_uuid=image_uuid):
            if copy.install_path.startswith(f"{storage.url.rstrip('/')}/"):
                return copy.install_path
    return naming.cached_image(storage.url, image_uuid, image.format if image is not None else "qcow2")


def unfinished(volume: Volume) -> bool:
    """Whether something is left to do for a volume that no VM has."""
    if volume.type != "Data" or volume.vm_instance_uuid is not None:
        return False
    if volume.intended == "Absent" or volume.status == "Creating" or volume.chain_changes:
        return True
    return volume.whole_size is not None and volume.whole_size < volume.size


def volumes_on(snapshot: Snapshot, host: Host) -> list[Volume]:
    """The data volumes that a host has, deleted ones included."""
    return snapshot.all(Volume, host_uuid=host.uuid, type="Data", order_by="name")


def put_away(tx: Transaction, volume: Volume) -> Volume:
    """Delete a volume that no VM has any more, as is intended for it: its capacity is free now."""
    volume = tx.update(volume, status="Deleted", generation=volume.generation + 1)
    if volume.primary_storage_uuid is not None:
        recount_storage(tx, volume.primary_storage_uuid)
    if volume.intended == "Absent":
        note_expunging(tx, volume.uuid)
    else:
        bin_volume(tx, volume)
    return volume


def forget_volume(tx: Transaction, volume: Volume) -> None:
    """Remove every row of a volume whose file is gone, and end the jobs that wanted that."""
    drop_volume(tx, volume)
    drop_snapshots(tx, volume)
    take_out(tx, volume.uuid)
    forget_reading(tx, volume.uuid)
    tx.delete(volume)
    if volume.primary_storage_uuid is not None:
        recount_storage(tx, volume.primary_storage_uuid)
    for job in jobs.running(tx, volume.uuid):
        jobs.succeed(tx, job, {})
