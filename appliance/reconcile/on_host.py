"""What is under way that a host has part in: when it is back, that goes on at once."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.api.host import Host
from appliance.api.image import Image
from appliance.api.move import VmMove, VolumeMove
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup, VolumeRestore
from appliance.reconcile.move_rows import moves_on
from appliance.reconcile.reading import readings_on
from appliance.reconcile.vm_move_rows import vm_moves_on
from appliance.store.snapshot import Snapshot


def under_way_on(snapshot: Snapshot, host: Host) -> Iterator[tuple[str, str]]:
    """Kind and uuid of moves, readings, backups and restores: whose worker waits for a host that was away."""
    yield from ((VolumeMove.name_, move.uuid) for move in moves_on(snapshot, host))
    yield from ((VmMove.name_, move.uuid) for move in vm_moves_on(snapshot, host))
    for reading in readings_on(snapshot, host):
        kind = Image if snapshot.exists(Image, uuid=reading.uuid) else Volume
        yield kind.name_, reading.uuid
    for backup in snapshot.all(VolumeBackup, host_uuid=host.uuid):
        if backup.is_unfinished:
            yield backup.name_, backup.uuid
    for restore in snapshot.all(VolumeRestore, host_uuid=host.uuid):
        yield restore.name_, restore.uuid
