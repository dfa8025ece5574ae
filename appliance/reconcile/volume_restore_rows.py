"""What is being made of backups as rows: the moment it is there, and its end."""

from __future__ import annotations

import json

from agent.protocol import ImageFacts
from appliance.api.errors import ApiError
from appliance.api.host import Host
from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.resource import Resource
from appliance.api.simulator import FORMAT, HYPERVISOR
from appliance.api.tag import SystemTag, UserTag
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup, VolumeRestore
from appliance.reconcile import jobs
from appliance.reconcile.capacity import keep_volume, recount_storage, resize_volume
from appliance.reconcile.snapshot_rows import stand_on
from appliance.reconcile.vm_state import change_vm
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def still_wanted(snapshot: Snapshot, uuid: str) -> bool:
    """Whether something is still to be made."""
    restore = snapshot.find(VolumeRestore, uuid)
    return restore is not None and restore.intended == "Present"


def give_up(tx: Transaction, planned: VolumeRestore, error: ApiError) -> bool:
    """A restore failed for good: what has come goes. False when it was to go anyway."""
    restore = tx.find(VolumeRestore, planned.uuid)
    if restore is None or restore.intended == "Absent":
        return False
    jobs.doom_all(tx, restore.uuid, error)
    tx.update(restore, intended="Absent", generation=restore.generation + 1)
    return True


def turn(tx: Transaction, planned: VolumeRestore, backup: VolumeBackup) -> tuple[str, str] | None:
    """The file is the volume from here on; whose worker is to look at it, if anybody's."""
    restore = tx.find(VolumeRestore, planned.uuid)
    if restore is None or restore.intended == "Absent":
        return None
    tx.delete(restore)
    volume = _made(tx, restore, backup) if restore.volume_uuid is None else _turned(tx, restore, backup)
    _recount(tx, restore)
    for job in jobs.running(tx, restore.uuid):
        jobs.succeed(tx, job, {"inventory": tx.inventory(volume)})
    vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    return ("VmInstance", vm.uuid) if vm is not None else ("Volume", volume.uuid)


def _made(tx: Transaction, restore: VolumeRestore, backup: VolumeBackup) -> Volume:
    tx.account_uuid = restore.account_uuid
    host = tx.find(Host, restore.host_uuid) if restore.host_uuid is not None else None
    volume = tx.insert(
        Volume(
            uuid=restore.uuid,
            name=restore.name,
            description=restore.description,
            primary_storage_uuid=restore.primary_storage_uuid,
            host_uuid=restore.host_uuid,
            install_path=restore.install_path,
            type="Data",
            format=FORMAT if host is not None and host.hypervisor_type == HYPERVISOR else "qcow2",
            size=backup.volume_size,
            whole_size=backup.volume_size,
            status="Ready",
        )
    )
    keep_volume(tx, volume)
    _tag(tx, restore, volume)
    return volume


def _tag(tx: Transaction, restore: VolumeRestore, made: Resource) -> None:
    """Put the tags on what was made that it was asked for with."""
    wanted = json.loads(restore.tags)
    for kind in (SystemTag, UserTag):
        for tag in dict.fromkeys(wanted.get(kind.name_, ())):
            tx.insert(kind(uuid=tx.new_uuid(), resource_uuid=restore.uuid, resource_type=made.vo, tag=tag))


def _turned(tx: Transaction, restore: VolumeRestore, backup: VolumeBackup) -> Volume:
    """The volume builds on no snapshot and no image any more; the file that it was on goes by its usual way."""
    volume = tx.get(Volume, restore.volume_uuid)
    stand_on(tx, volume, None)
    before = volume.install_path
    volume = resize_volume(tx, volume, backup.volume_size)
    volume = tx.update(
        volume,
        install_path=restore.install_path,
        whole_size=backup.volume_size,
        root_image_uuid=None,
        abandoned=before,
        chain_changes=True,
        generation=volume.generation + 1,
    )
    vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    if vm is not None:
        change_vm(tx, vm, generation=vm.generation + 1)
    return volume


def turn_image(tx: Transaction, planned: VolumeRestore, facts: ImageFacts) -> None:
    """The file is an image from here on."""
    restore = tx.find(VolumeRestore, planned.uuid)
    if restore is None or restore.intended == "Absent":
        return
    tx.delete(restore)
    tx.account_uuid = restore.account_uuid
    image = tx.insert(
        Image(
            uuid=restore.uuid,
            name=restore.name,
            description=restore.description,
            url=f"volumeBackup://{restore.backup_uuid}",
            guest_os_type=restore.guest_os_type,
            platform=restore.platform,
            system=restore.system,
            format=facts.format,
            status="Ready",
            size=facts.size_bytes,
            actual_size=facts.taken_bytes,
            length=facts.actual_bytes,
            md5_sum=facts.md5,
        )
    )
    tx.insert(
        ImageBackupStorageRef(
            uuid=tx.new_uuid(),
            image_uuid=image.uuid,
            backup_storage_uuid=str(restore.backup_storage_uuid),
            install_path=restore.install_path,
            status="Ready",
        )
    )
    _tag(tx, restore, image)
    for job in jobs.running(tx, restore.uuid):
        jobs.succeed(tx, job, {"inventory": tx.inventory(image)})


def forget(tx: Transaction, planned: VolumeRestore) -> None:
    """Nothing is left of what was not to be made."""
    restore = tx.find(VolumeRestore, planned.uuid)
    if restore is None:
        return
    tx.delete(restore)
    _recount(tx, restore)
    for job in jobs.running(tx, restore.uuid):
        jobs.succeed(tx, job, {})


def _recount(tx: Transaction, restore: VolumeRestore) -> None:
    if restore.primary_storage_uuid is not None:
        recount_storage(tx, restore.primary_storage_uuid)
