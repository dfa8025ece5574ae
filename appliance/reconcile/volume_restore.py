"""The worker of one restore: bring a backup with all that it adds to, join them, and let the volume be that file."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from agent.protocol import AnyRequest, DropFile, JoinBackups, Struct
from appliance.api.errors import ApiError, Cancelled, HostUnreachable, OperationFailed, TimedOut
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.snapshot import VolumeSnapshot, VolumeSnapshotTree
from appliance.api.storage import BackupStorage
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup, VolumeRestore
from appliance.hosts.fleet import Target
from appliance.hosts.link import Refused
from appliance.reconcile import jobs
from appliance.reconcile.asking import PATIENCE, Asker
from appliance.reconcile.bring import bring_file
from appliance.reconcile.capacity import keep_volume, recount_storage, resize_volume
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.loop import AGAIN, DONE, Backoff, Next
from appliance.reconcile.vm_state import move
from appliance.reconcile.volume_backup_rows import chain_of
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

JOIN_SECONDS = 6 * 3600.0
UNREACHABLE_SECONDS = 5.0


@dataclass(frozen=True)
class _Work:
    restore: VolumeRestore
    chain: tuple[VolumeBackup, ...]
    storages: dict[str, Target]
    host: Target | None
    jobs: tuple[LongJob, ...]

    @property
    def staged(self) -> list[str]:
        """Where the backups are on the host meanwhile, the whole one first."""
        path = self.restore.install_path
        return [f"{path}.{place}" for place, _ in enumerate(self.chain)]


class VolumeRestoreWorker:
    """Makes one volume what a backup holds."""

    def __init__(self, context: Context, uuid: str) -> None:
        self._context = context
        self._uuid = uuid
        self._asker = Asker(context.fleet, context.database.new_uuid)
        self._backoff = Backoff()
        self._again = 0
        self._brought: set[str] = set()

    async def advance(self) -> Next:
        """One pass."""
        work = await self._context.database.read(self._load)
        if work is None:
            return DONE
        try:
            return await self._pass(work)
        except Refused as refused:
            if refused.refusal.transient and self._again < PATIENCE:
                self._again += 1
                return self._backoff.next()
            return await self._failed(work, refused)
        except HostUnreachable as unreachable:
            return await self._wait(work, unreachable)
        except ApiError as failed:
            return await self._failed(work, failed)

    async def _pass(self, work: _Work) -> Next:
        restore = work.restore
        if restore.intended == "Absent":
            for path in (restore.install_path, *work.staged):
                if work.host is not None:
                    await self._ask(work.host, restore, DropFile(path=path))
            await self._context.database.write(lambda tx: _forget(tx, restore))
            return DONE
        host = _there(work.host)
        for backup, path in zip(work.chain, work.staged, strict=True):
            if path not in self._brought:
                await self._bring(work, backup, host, path)
        await self._say(work, "join backups")
        join = JoinBackups(files=work.staged, path=restore.install_path)
        await self._ask(host, restore, join, JOIN_SECONDS)
        for path in work.staged:
            await self._ask(host, restore, DropFile(path=path))
        poked = await self._context.database.write(lambda tx: _turn(tx, restore, work.chain[-1]))
        if poked is not None:
            self._context.poke(*poked)
        return DONE

    async def _bring(self, work: _Work, backup: VolumeBackup, host: Target, path: str) -> None:
        await self._ask(host, work.restore, DropFile(path=path))
        await bring_file(
            self._context,
            _there(work.storages.get(backup.backup_storage_uuid)),
            backup.install_path,
            host,
            path,
            size=backup.size,
            md5=backup.md5 or "-",
            jobs=work.jobs,
            title="bring backup to host",
        )
        self._brought.add(path)

    async def _ask(
        self, target: Target, restore: VolumeRestore, request: AnyRequest, seconds: float = 60.0
    ) -> Struct:
        await self._asker.settle_unanswered(target, request)
        return await self._asker.ask(
            target, request, resource=restore.uuid, generation=restore.generation, timeout_seconds=seconds
        )

    async def _say(self, work: _Work, step: str, waits_for: str | None = None) -> None:
        def write(tx: Transaction) -> None:
            for job in jobs.running(tx, work.restore.uuid):
                jobs.progress(tx, job, step, job.progress, waits_for)

        await self._context.database.write(write)

    async def _wait(self, work: _Work, reason: ApiError) -> Next:
        """A machine that is away is waited for, until the call's deadline."""
        now = self._context.database.now()
        late = any(job.deadline is not None and now > job.deadline for job in work.jobs)
        if late and work.restore.intended == "Present":
            return await self._failed(work, TimedOut(f"given up after waiting: {reason.details}"))
        await self._say(work, "wait", reason.details)
        return Next(seconds=min(UNREACHABLE_SECONDS, self._backoff.next().seconds))

    async def _failed(self, work: _Work, error: ApiError) -> Next:
        log.info("restore %s: %s", self._uuid, error.details)
        self._brought.clear()
        turned = await self._context.database.write(lambda tx: give_up(tx, work.restore, error))
        return AGAIN if turned else self._backoff.next()

    def _load(self, snapshot: Snapshot) -> _Work | None:
        restore = snapshot.find(VolumeRestore, self._uuid)
        if restore is None:
            return None
        host = snapshot.find(Host, restore.host_uuid)
        chain = chain_of(snapshot, snapshot.get(VolumeBackup, restore.backup_uuid))
        storages = {each.uuid: target_of(each) for each in snapshot.all(BackupStorage)}
        return _Work(
            restore=restore,
            chain=tuple(chain),
            storages=storages,
            host=target_of(host) if host is not None else None,
            jobs=tuple(jobs.running(snapshot, restore.uuid)),
        )


def give_up(tx: Transaction, planned: VolumeRestore, error: ApiError) -> bool:
    """A restore failed for good: what has come goes. False when it was to go anyway."""
    restore = tx.find(VolumeRestore, planned.uuid)
    if restore is None or restore.intended == "Absent":
        return False
    failure = error if isinstance(error, Cancelled) else OperationFailed(cause=error)
    for job in jobs.running(tx, restore.uuid):
        jobs.doom(tx, job, failure)
    tx.update(restore, intended="Absent", generation=restore.generation + 1)
    return True


def _turn(tx: Transaction, planned: VolumeRestore, backup: VolumeBackup) -> tuple[str, str] | None:
    """The file is the volume from here on; whose worker is to look at it, if anybody's."""
    restore = tx.find(VolumeRestore, planned.uuid)
    if restore is None or restore.intended == "Absent":
        return None
    tx.delete(restore)
    volume = _made(tx, restore, backup) if restore.volume_uuid is None else _turned(tx, restore, backup)
    recount_storage(tx, restore.primary_storage_uuid)
    for job in jobs.running(tx, restore.uuid):
        jobs.succeed(tx, job, {"inventory": tx.inventory(volume)})
    vm = tx.find(VmInstance, volume.vm_instance_uuid) if volume.vm_instance_uuid else None
    return ("VmInstance", vm.uuid) if vm is not None else ("Volume", volume.uuid)


def _made(tx: Transaction, restore: VolumeRestore, backup: VolumeBackup) -> Volume:
    tx.account_uuid = restore.account_uuid
    volume = tx.insert(
        Volume(
            uuid=restore.uuid,
            name=restore.name,
            description=restore.description,
            primary_storage_uuid=restore.primary_storage_uuid,
            host_uuid=restore.host_uuid,
            install_path=restore.install_path,
            type="Data",
            size=backup.volume_size,
            whole_size=backup.volume_size,
            status="Ready",
        )
    )
    keep_volume(tx, volume)
    return volume


def _turned(tx: Transaction, restore: VolumeRestore, backup: VolumeBackup) -> Volume:
    """The volume builds on no snapshot and no image any more; the file that it was on goes by its usual way."""
    volume = tx.get(Volume, restore.volume_uuid)
    for each in tx.all(VolumeSnapshot, volume_uuid=volume.uuid, latest=True):
        tx.update(each, latest=False)
    for tree in tx.all(VolumeSnapshotTree, volume_uuid=volume.uuid, current=True):
        tx.update(tree, current=False)
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
        move(tx, vm, generation=vm.generation + 1)
    return volume


def _forget(tx: Transaction, planned: VolumeRestore) -> None:
    restore = tx.find(VolumeRestore, planned.uuid)
    if restore is None:
        return
    tx.delete(restore)
    recount_storage(tx, restore.primary_storage_uuid)
    for job in jobs.running(tx, restore.uuid):
        jobs.succeed(tx, job, {})


def _there(machine: Target | None) -> Target:
    if machine is None:
        raise OperationFailed("a machine of this restore was deleted")
    return machine
