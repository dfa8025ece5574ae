"""What is in the recycle bin as rows, and the worker that asks hosts what its items take."""

from __future__ import annotations

from typing import Any

from agent.protocol import ObserveVm, VmSeen
from appliance.api.errors import ApiError
from appliance.api.host import Host
from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.recycle_bin import CATEGORIES, RecycleBinItem
from appliance.api.resource import Resource, Timestamp
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.loop import DONE, Backoff, Next
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

KINDS: dict[str, type[Resource]] = {"vm": VmInstance, "volume": Volume, "image": Image}
"""What a category's settings are about."""


def bin_vm(tx: Transaction, vm: VmInstance, volume_uuids: list[str], ips: list[str]) -> None:
    """A destroyed VM is in the bin, with what it had."""
    root = tx.find(Volume, vm.root_volume_uuid) if vm.root_volume_uuid else None
    _put(tx, vm, data_volume_uuids=volume_uuids, ips=ips, **(_place(root) if root is not None else {}))


def bin_volume(tx: Transaction, volume: Volume) -> None:
    """A deleted data volume is in the bin; one that has no file takes nothing."""
    _put(tx, volume, **_place(volume), reclaimable_size=None if volume.install_path else 0)


def bin_image(tx: Transaction, image: Image, ref: ImageBackupStorageRef) -> None:
    """An image is in the bin of one backup storage."""
    where = {"backup_storage_uuid": ref.backup_storage_uuid}
    _put(tx, image, **where, reclaimable_size=image.actual_size)


def item_of(snapshot: Snapshot, resource_uuid: str, **where: str) -> RecycleBinItem | None:
    """What is in the bin of a resource: of an image, on `backup_storage_uuid`."""
    return snapshot.first(RecycleBinItem, resource_uuid=resource_uuid, **where)


def take_out(tx: Transaction, resource_uuid: str, **where: str) -> RecycleBinItem | None:
    """Recovered, or gone for good: it is in the bin no more; as it was there."""
    found = item_of(tx, resource_uuid, **where)
    if found is not None:
        tx.delete(found)
    return found


def note_expunging(tx: Transaction, resource_uuid: str, **where: str) -> None:
    """It cannot be recovered any more; it is gone once its host has removed it."""
    found = item_of(tx, resource_uuid, **where)
    if found is not None:
        tx.update(found, status="Expunging")


def rename(tx: Transaction, resource: VmInstance | Volume | Image) -> None:
    """What is in the bin is called as the resource is."""
    for item in tx.all(RecycleBinItem, resource_uuid=resource.uuid):
        tx.update(item, name=resource.name)


def due(tx: Transaction, category: str, most: int) -> list[RecycleBinItem]:
    """At most so many that are to be removed now, the longest due ones first."""
    found = tx.rows(
        "SELECT uuid FROM recycle_bin_item WHERE resource_type = ? AND expunge_date <= ? AND status = 'Deleted' "
        "ORDER BY expunge_date LIMIT ?",
        (KINDS[category].vo, tx.now, most),
    )
    return [tx.get(RecycleBinItem, uuid) for (uuid,) in found]


def reschedule(tx: Transaction, category: str, policy_before: str) -> None:
    """Settings of a category changed: the days of all that waits are counted anew.

    What was kept for ever gets a whole period from now on: nothing goes the moment that Never ends.
    """
    if category not in KINDS:
        return
    for item in tx.all(RecycleBinItem, resource_type=KINDS[category].vo):
        begin = tx.now if policy_before == "Never" else item.deletion_date
        tx.update(item, expunge_date=_expunge_date(tx, category, begin))


def _put(tx: Transaction, resource: VmInstance | Volume | Image, **values: Any) -> None:
    tx.insert(
        RecycleBinItem(
            uuid=tx.new_uuid(),
            resource_uuid=resource.uuid,
            resource_type=resource.vo,
            name=resource.name,
            deletion_date=Timestamp(tx.now),
            expunge_date=_expunge_date(tx, CATEGORIES[resource.name_], tx.now),
            **values,
        )
    )


def _expunge_date(snapshot: Snapshot, category: str, begin: float) -> Timestamp | None:
    if snapshot.setting(category, "deletionPolicy") == "Never":
        return None
    return Timestamp(begin + float(snapshot.setting(category, "expungePeriod")))


def _place(volume: Volume) -> dict[str, Any]:
    return {"host_uuid": volume.host_uuid, "primary_storage_uuid": volume.primary_storage_uuid}


def files_of(snapshot: Snapshot, item: RecycleBinItem) -> list[str]:
    """The files that go with a VM or volume in the bin: those of its snapshots, too."""
    uuid = item.resource_uuid
    if item.resource_type == VmInstance.vo:
        vm = snapshot.find(VmInstance, uuid)
        uuid = (vm.root_volume_uuid if vm is not None else None) or ""
    volume = snapshot.find(Volume, uuid)
    if volume is None or volume.install_path is None:
        return []
    kept = snapshot.all(VolumeSnapshot, volume_uuid=volume.uuid)
    return [volume.install_path, *(each.primary_storage_install_path for each in kept)]


class RecycleBinWorker:
    """Learns what one item takes of its host's storage."""

    def __init__(self, context: Context, uuid: str) -> None:
        self._context = context
        self._uuid = uuid
        self._backoff = Backoff()

    async def advance(self) -> Next:
        """One pass: ask its host, unless that has said."""
        found = await self._context.database.read(self._load)
        if found is None:
            return DONE
        item, host, files = found
        # The VM's uuid makes this wait for what is still being done to its files.
        request = ObserveVm(vm_uuid=item.resource_uuid, volume_paths=files)
        try:
            seen = await self._context.fleet.link(target_of(host)).ask(request, VmSeen)
        except ApiError:
            return self._backoff.next()  # an item without a size says that nobody knows it yet
        size = sum(seen.taken.values())

        def write(tx: Transaction) -> None:
            now = tx.find(RecycleBinItem, self._uuid)
            if now is not None:
                tx.update(now, reclaimable_size=size)

        await self._context.database.write(write)
        return DONE

    def _load(self, snapshot: Snapshot) -> tuple[RecycleBinItem, Host, list[str]] | None:
        item = snapshot.find(RecycleBinItem, self._uuid)
        if item is None or item.reclaimable_size is not None or item.host_uuid is None:
            return None
        host = snapshot.find(Host, item.host_uuid)
        return (item, host, files_of(snapshot, item)) if host is not None else None
