"""What it means to make a data volume of a snapshot."""

from __future__ import annotations

from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.snapshot import CreateDataVolumeFromVolumeSnapshot, VolumeSnapshot
from appliance.api.storage import LocalStorageHostRef, PrimaryStorage
from appliance.api.volume import Volume
from appliance.plans import naming
from appliance.reconcile.capacity import keep_volume, recount_storage
from appliance.reconcile.reading import begin_reading
from appliance.resources.creating import add, uuid_for
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles
from appliance.resources.template import kept_volume
from appliance.resources.volume import check_room
from appliance.store.transaction import Transaction


@handles(CreateDataVolumeFromVolumeSnapshot)
def create_from_snapshot(
    tx: Transaction, request: CreateDataVolumeFromVolumeSnapshot, caller: Caller
) -> Promise:
    """A row with its place, on the snapshot's host; its worker has the file made of the snapshot's."""
    kept = tx.get(VolumeSnapshot, request.volume_snapshot_uuid)
    source = kept_volume(tx, kept)
    storage = _storage(tx, request, kept)
    uuid = uuid_for(tx, request, Volume)
    check_room(tx, storage, source.host_uuid, source.size)
    volume = Volume(
        uuid=uuid,
        name=request.name,
        description=request.description,
        primary_storage_uuid=storage.uuid,
        install_path=naming.data_volume(storage.url, caller.account_uuid, uuid),
        type="Data",
        format=source.format,
        size=source.size,
        host_uuid=source.host_uuid,
    )
    volume = add(tx, request, volume)
    begin_reading(tx, uuid, source, kept.primary_storage_install_path, str(volume.install_path), None)
    keep_volume(tx, volume)
    recount_storage(tx, storage.uuid)
    return promise(tx, request, volume, caller)


def _storage(
    tx: Transaction, request: CreateDataVolumeFromVolumeSnapshot, kept: VolumeSnapshot
) -> PrimaryStorage:
    """The storage that gets the volume; the snapshot's host must have it."""
    own = str(kept.primary_storage_uuid)
    storage = tx.get(PrimaryStorage, request.primary_storage_uuid or own)
    if storage.state != "Enabled" or storage.status != "Connected":
        raise OperationFailed(
            f"primary storage {storage.name}[uuid:{storage.uuid}] is {storage.state} and {storage.status}"
        )
    there = {"primary_storage_uuid": storage.uuid, "host_uuid": kept.host_uuid}
    if storage.uuid != own and not tx.exists(LocalStorageHostRef, **there):
        raise InvalidArgument(
            f"primary storage[uuid:{storage.uuid}] is not on host[uuid:{kept.host_uuid}], which has the "
            f"snapshot[uuid:{kept.uuid}]; leave primaryStorageUuid out, or name one that is"
        )
    return storage
