"""The worker of one backup storage: connect its machine and keep its folder."""

from __future__ import annotations

import logging

from agent.protocol import Capacity, DropStorage, EnsureStorage
from agent.protocol import Done as AgentDone
from appliance.api.errors import ApiError, BackupStorageFailed
from appliance.api.image import ImageBackupStorageRef
from appliance.api.resource import Resource
from appliance.api.storage import BackupStorage, BackupStorageZoneRef
from appliance.api.volume_backup import VolumeBackup
from appliance.reconcile import jobs
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.loop import AGAIN, DONE, Backoff, Next
from appliance.reconcile.machine import forget_key, leave_machine
from appliance.reconcile.on_host import unfinished_in
from appliance.store.errors import StoreCannotWrite
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)


class BackupStorageWorker:
    """Keeps one backup storage connected."""

    def __init__(self, context: Context, uuid: str) -> None:
        self._context = context
        self._uuid = uuid
        self._backoff = Backoff()

    async def advance(self) -> Next:
        """One pass: connect its machine, make its folder, write its capacity."""
        database = self._context.database
        storage = await database.read(lambda snapshot: snapshot.find(BackupStorage, self._uuid))
        if storage is None:
            return DONE
        if storage.intended == "Absent":
            return await self._leave(storage)
        most = await database.read(lambda s: int(s.setting("backupStorage", "ping.parallelismDegree")))
        try:
            async with self._context.looking.one_of(most):
                await self._connect(storage)
        except StoreCannotWrite:
            raise
        except ApiError as failed:
            return await self._failed(storage, failed)
        self._backoff.reset()
        interval = await self._context.database.read(
            lambda s: float(s.setting("backupStorage", "ping.interval"))
        )
        return Next(seconds=interval)

    async def _connect(self, storage: BackupStorage) -> None:
        fleet = self._context.fleet
        target = target_of(storage)
        was_away = not fleet.connected(target)
        await fleet.connect(target)
        request = EnsureStorage(storage_uuid=storage.uuid, root=storage.url)
        capacity = await fleet.link(target).ask(request, Capacity)

        def write(tx: Transaction) -> None:
            found = tx.find(BackupStorage, self._uuid)
            if found is None or found.intended == "Absent":
                return
            if found.status != "Connected":
                tx.note("BackupStorageConnected", f"{found.name}: connected", about=found)
            found = tx.update(
                found,
                status="Connected",
                status_reason=None,
                connected_id=storage.connect_id,
                total_capacity=capacity.total_bytes,
                available_capacity=capacity.available_bytes,
            )
            for job in jobs.running(tx, found.uuid) if storage.connect_id == found.connect_id else ():
                jobs.succeed(tx, job, {"inventory": tx.inventory(found)})

        await self._context.database.write(write)
        if was_away or storage.status != "Connected":
            for kind, uuid in await self._context.database.read(lambda s: list(unfinished_in(s, storage))):
                self._context.poke(kind, uuid)

    async def _failed(self, storage: BackupStorage, error: ApiError) -> Next:
        def write(tx: Transaction) -> bool:
            found = tx.find(BackupStorage, self._uuid)
            if found is None or found.intended == "Absent":
                return True
            running = jobs.running(tx, found.uuid)
            if found.connected_id == 0:
                named = f"hostname[{found.hostname}]: {error.details}"
                for job in running:
                    jobs.doom(tx, job, BackupStorageFailed(named, cause=error))
                tx.update(found, intended="Absent")
                return True
            tx.update(found, status="Disconnected", status_reason=error.details)
            for job in running:
                jobs.fail(tx, job, BackupStorageFailed(cause=error))
            return False

        gone = await self._context.database.write(write)
        return AGAIN if gone else self._backoff.after(f"backup storage {storage.name}", error)

    async def _leave(self, storage: BackupStorage) -> Next:
        target = target_of(storage)
        if self._context.fleet.connected(target):
            try:
                await self._context.fleet.link(target).ask(DropStorage(storage_uuid=storage.uuid), AgentDone)
            except ApiError:
                return self._backoff.next()
            try:
                await leave_machine(self._context, storage)
            except ApiError as failed:
                log.info("backup storage %s is forgotten as it is: %s", storage.name, failed.details)
        await self._context.database.write(lambda tx: forget(tx, storage.uuid))
        return DONE


def written_storage(before: Resource | None, after: Resource | None) -> str | None:
    """The backup storage that has other bytes free after a change of a row: a file on it is whole now, or gone."""
    match before, after:
        case (ImageBackupStorageRef() | VolumeBackup()) as gone, None:
            return gone.backup_storage_uuid
        case ImageBackupStorageRef() as ref, ImageBackupStorageRef(status=status) if ref.status != status:
            return ref.backup_storage_uuid
        case VolumeBackup() as backup, VolumeBackup(phase=phase) if backup.phase != phase:
            return backup.backup_storage_uuid
    return None


def forget(tx: Transaction, uuid: str) -> None:
    """Remove every row of a backup storage, and end the jobs on it."""
    for ref in tx.all(BackupStorageZoneRef, backup_storage_uuid=uuid):
        tx.delete(ref)
    found = tx.find(BackupStorage, uuid)
    if found is not None:
        tx.delete(found)
        forget_key(tx, found)
    for job in jobs.running(tx, uuid):
        jobs.succeed(tx, job, {})
