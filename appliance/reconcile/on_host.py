"""What is under way that a host has part in: when it is back, that goes on at once."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.api.host import Host
from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.move import VmMove, VolumeMove
from appliance.api.storage import BackupStorage
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup, VolumeRestore
from appliance.reconcile.reading import readings_on
from appliance.reconcile.vm_move_rows import vm_moves_on
from appliance.reconcile.volume_move_rows import volume_moves_on
from appliance.store.snapshot import Snapshot


def under_way_on(snapshot: Snapshot, host: Host) -> Iterator[tuple[str, str]]:
    """Kind and uuid of moves, readings, backups, restores and images: whose worker waits for a host that was away."""
    yield from ((VolumeMove.name_, move.uuid) for move in volume_moves_on(snapshot, host))
    yield from ((VmMove.name_, move.uuid) for move in vm_moves_on(snapshot, host))
    for reading in readings_on(snapshot, host):
        kind = Image if snapshot.exists(Image, uuid=reading.uuid) else Volume
        yield kind.name_, reading.uuid
    for backup in snapshot.all(VolumeBackup, host_uuid=host.uuid):
        if backup.is_unfinished:
            yield backup.name_, backup.uuid
    for restore in snapshot.all(VolumeRestore, host_uuid=host.uuid):
        yield restore.name_, restore.uuid
    for storage in snapshot.all(BackupStorage, hostname=host.management_ip):
        yield storage.name_, storage.uuid
        yield from unfinished_in(snapshot, storage)


def unfinished_in(snapshot: Snapshot, storage: BackupStorage) -> Iterator[tuple[str, str]]:
    """Kind and uuid of images that are being brought to a backup storage, or removed from it."""
    for ref in snapshot.all(ImageBackupStorageRef, backup_storage_uuid=storage.uuid):
        if not ref.whole:
            yield Image.name_, ref.image_uuid
