"""What it means to make an image of a volume, or of a snapshot of one."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.image import Image
from appliance.api.message import Message
from appliance.api.simulator import BACKUP_TYPE, FORMAT
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.storage import BackupStorage, BackupStorageZoneRef, PrimaryStorage
from appliance.api.template import (
    CreateDataVolumeTemplateFromVolume,
    CreateRootVolumeTemplateFromRootVolume,
    CreateRootVolumeTemplateFromVolumeSnapshot,
)
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.plans import naming
from appliance.reconcile.reading import begin_reading
from appliance.resources.creating import add, uuid_for
from appliance.resources.image import add_copies
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles
from appliance.resources.vm_allowed import allowed
from appliance.resources.volume import refuse_busy, refuse_deleted
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

FromVolume = (
    CreateRootVolumeTemplateFromRootVolume
    | CreateRootVolumeTemplateFromVolumeSnapshot
    | CreateDataVolumeTemplateFromVolume
)


@dataclass(frozen=True)
class _Source:
    volume: Volume
    path: str
    """The topmost file that is read."""
    url: str
    vm: VmInstance | None = None
    """Who must not run meanwhile."""


@handles(CreateRootVolumeTemplateFromRootVolume)
def from_root_volume(
    tx: Transaction, request: CreateRootVolumeTemplateFromRootVolume, caller: Caller
) -> Promise:
    """A row of an image, and one that keeps the volume as it is until it was read."""
    volume = tx.get(Volume, request.root_volume_uuid)
    if volume.type != "Root":
        raise InvalidArgument(
            f"volume[uuid:{volume.uuid}] is not a root volume, it's {volume.type}; use "
            f"CreateDataVolumeTemplateFromVolume"
        )
    return _begin(tx, request, _at_rest(tx, volume, request), caller)


@handles(CreateDataVolumeTemplateFromVolume)
def from_volume(tx: Transaction, request: CreateDataVolumeTemplateFromVolume, caller: Caller) -> Promise:
    """The same of any volume."""
    volume = tx.get(Volume, request.volume_uuid)
    return _begin(tx, request, _at_rest(tx, volume, request), caller)


@handles(CreateRootVolumeTemplateFromVolumeSnapshot)
def from_snapshot(
    tx: Transaction, request: CreateRootVolumeTemplateFromVolumeSnapshot, caller: Caller
) -> Promise:
    """The same of a snapshot's file, to which nobody writes, whether the VM runs or not."""
    kept = tx.get(VolumeSnapshot, request.snapshot_uuid)
    if kept.volume_type != "Root":
        raise InvalidArgument(
            f"volume snapshot[uuid:{kept.uuid}] is not one of a root volume, it's of a {kept.volume_type} volume"
        )
    source = _Source(
        kept_volume(tx, kept), kept.primary_storage_install_path, f"volumeSnapshot://{kept.uuid}"
    )
    return _begin(tx, request, source, caller)


def kept_volume(tx: Transaction, kept: VolumeSnapshot) -> Volume:
    """The volume of a snapshot that may be read now. Raises `OperationFailed`."""
    volume = tx.get(Volume, kept.volume_uuid)
    refuse_deleted(volume)
    refuse_busy(tx, volume)
    if kept.status != "Ready" or kept.state != "Enabled":
        raise OperationFailed(f"volume snapshot[uuid:{kept.uuid}] is {kept.status} and {kept.state}")
    return volume


def _at_rest(tx: Transaction, volume: Volume, request: Message) -> _Source:
    """A whole volume to which nobody writes now. Raises `OperationFailed`."""
    refuse_deleted(volume)
    refuse_busy(tx, volume)  # it may just be leaving a VM that does not allow this
    vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    if vm is not None:
        allowed(tx, vm, request)
    if volume.status != "Ready":
        raise OperationFailed(f"volume[uuid:{volume.uuid}] is not Ready, it's {volume.status}")
    if volume.state != "Enabled":
        raise OperationFailed(f"volume[uuid:{volume.uuid}] is not Enabled, it's {volume.state}")
    return _Source(volume, str(volume.install_path), f"volume://{volume.uuid}", vm)


def _begin(tx: Transaction, request: FromVolume, source: _Source, caller: Caller) -> Promise:
    volume = source.volume
    base = tx.find(Image, volume.root_image_uuid) if volume.root_image_uuid else None
    platform = getattr(request, "platform", None) or (base.platform if base is not None else None) or "Linux"
    guest = getattr(request, "guest_os_type", None) or (base.guest_os_type if base is not None else None)
    data = isinstance(request, CreateDataVolumeTemplateFromVolume)
    image = add(
        tx,
        request,
        Image(
            uuid=uuid_for(tx, request, Image),
            name=request.name,
            description=request.description,
            status="Creating",
            url=source.url,
            media_type="DataVolumeTemplate" if data else "RootVolumeTemplate",
            guest_os_type=guest,
            platform=platform,
            format=FORMAT if volume.format == FORMAT else "qcow2",
            system=getattr(request, "system", False),
        ),
    )
    storage = tx.get(PrimaryStorage, str(volume.primary_storage_uuid))
    add_copies(tx, image, request.backup_storage_uuids or [_roomiest(tx, storage, image.format)])
    flat = naming.flat_volume(storage.url, image.uuid)
    begin_reading(tx, image.uuid, volume, source.path, flat, source.vm)
    return promise(tx, request, image, caller)


def _roomiest(snapshot: Snapshot, storage: PrimaryStorage, image_format: str) -> str:
    """The backup storage of a zone with most room that takes images of a format."""
    zone = snapshot.all(BackupStorageZoneRef, zone_uuid=storage.zone_uuid)
    found = [snapshot.get(BackupStorage, ref.backup_storage_uuid) for ref in zone]
    fit = [
        each
        for each in found
        if (each.state, each.status) == ("Enabled", "Connected")
        and (each.type == BACKUP_TYPE) == (image_format == FORMAT)
    ]
    if not fit:
        raise OperationFailed(
            f"no backup storage that is Enabled and Connected is attached to zone[uuid:{storage.zone_uuid}]; attach "
            f"one, or name one in backupStorageUuids"
        )
    return max(fit, key=lambda each: each.available_capacity).uuid
