"""The worker of one backup: written by the volume's host, carried to its storage, cleared away on the host."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial

from agent.protocol import AnyRequest, BackedUp, BackupDisk, BackUpVolumes, DropFile, Struct
from appliance.api.errors import ApiError, OperationFailed, TimedOut
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.storage import BackupStorage
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup
from appliance.hosts.fleet import Target
from appliance.reconcile import jobs
from appliance.reconcile.asking import Asker, Tries
from appliance.reconcile.bulk import bulk
from appliance.reconcile.capacity import kept_free
from appliance.reconcile.carriage import Carriage, close_end, key_of
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.loop import AGAIN, DONE, Next
from appliance.reconcile.meter import Meter, expect
from appliance.reconcile.volume_backup_rows import (
    forget,
    give_up,
    group_of,
    last_of,
    note_carried,
    note_written,
)
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

WRITTEN = " written"
"""After a group's uuid: the part of a job that its files are written in. Each is carried as one of its own uuid."""
WRITE_SECONDS = 6 * 3600.0
UNREACHABLE_SECONDS = 5.0


@dataclass(frozen=True)
class _Work:
    backup: VolumeBackup
    writer: VolumeBackup
    """The one that the host writes the group for; itself once that is gone, since nothing is written then."""
    host: Target | None
    storage: Target | None
    host_key: str
    """The storage's."""
    request: BackUpVolumes
    jobs: tuple[LongJob, ...]


class VolumeBackupWorker:
    """Brings one backup to where it is intended to be; the first of a group has the host write them all."""

    def __init__(self, context: Context, uuid: str) -> None:
        self._context = context
        self._uuid = uuid
        self._asker = Asker(context.fleet, context.database.new_uuid)
        self._tries = Tries()

    async def advance(self) -> Next:
        """One pass."""
        work = await self._context.database.read(self._load)
        if work is None:
            return DONE
        return await self._tries.attempt(
            self._pass(work), failed=partial(self._failed, work), away=partial(self._wait, work)
        )

    async def _pass(self, work: _Work) -> Next:
        backup, database = work.backup, self._context.database
        if backup.intended == "Absent":
            # Its file may just be written: the host is asked about the resource that it writes for.
            await self._drop(work.host, work.writer, backup.staged_path)
            await self._withdraw(work)
            await database.write(lambda tx: forget(tx, backup))
            return DONE
        if backup.phase == "writing":
            made = await self._write(work)
            await database.write(lambda tx: note_written(tx, backup, made))
        elif backup.phase == "carrying":
            await self._carry(work)
            await database.write(lambda tx: note_carried(tx, backup))
        else:
            await self._drop(work.host, backup, backup.staged_path)
            await database.write(lambda tx: _done(tx, backup))
            return DONE
        self._tries.reset()
        return AGAIN

    async def _write(self, work: _Work) -> BackedUp:
        meter = Meter(self._context.database, work.jobs, "write backup", work.backup.group_uuid + WRITTEN)
        target = _there(work.host)
        await expect(self._context.database, work.jobs, await self._sizes(work, target))
        async with meter.running():
            await self._asker.settle_unanswered(target, work.request)
            reply = await self._asker.ask(
                target,
                work.request,
                resource=work.backup.uuid,
                generation=work.backup.generation,
                timeout_seconds=WRITE_SECONDS,
                on_progress=meter,
            )
        if not isinstance(reply, BackedUp):
            raise OperationFailed(f"host {target.address} did not say what it has backed up")
        return reply

    async def _sizes(self, work: _Work, host: Target) -> dict[str, int]:
        """Bytes of each part of a group that is to be whole. What an increment takes is known when it is written."""

        def whole(snapshot: Snapshot) -> dict[str, Volume]:
            found = [each for each in group_of(snapshot, work.backup) if _adds_to(snapshot, each) is None]
            return {each.uuid: snapshot.get(Volume, each.volume_uuid) for each in found}

        volumes = await self._context.database.read(whole)
        sizes = {uuid: await bulk(self._context, host, volume.uuid) for uuid, volume in volumes.items()}
        return {work.backup.group_uuid + WRITTEN: sum(volume.size for volume in volumes.values()), **sizes}

    async def _carry(self, work: _Work) -> None:
        backup = work.backup
        carriage = self._carriage(work, _there(work.host), _there(work.storage))
        await carriage.bring(backup.staged_path, backup.install_path, work.jobs)

    async def _withdraw(self, work: _Work) -> None:
        """Take from the storage what has come to it, and let nothing more come."""
        if work.storage is None:
            return
        if work.host is not None:
            carriage = self._carriage(work, work.host, work.storage)
            await carriage.withdraw(work.backup.install_path)
        else:
            await close_end(self._asker, work.storage, work.backup.uuid, work.backup.generation)
            await self._drop(work.storage, work.backup, work.backup.install_path)

    def _carriage(self, work: _Work, host: Target, storage: Target) -> Carriage:
        uuid = work.backup.uuid
        return Carriage(
            context=self._context,
            asker=self._asker,
            uuid=uuid,
            source=host,
            storage=storage,
            host_key=work.host_key,
            generation=work.backup.generation,
            wanted=lambda snapshot: _still_wanted(snapshot, uuid),
        )

    async def _drop(self, target: Target | None, backup: VolumeBackup, path: str) -> None:
        if target is not None:
            await self._ask(target, backup, DropFile(path=path))

    async def _ask(self, target: Target, backup: VolumeBackup, request: AnyRequest) -> Struct:
        await self._asker.settle_unanswered(target, request)
        return await self._asker.ask(target, request, resource=backup.uuid, generation=backup.generation)

    async def _wait(self, work: _Work, reason: ApiError) -> Next:
        """A machine that is away is waited for, until the call's deadline."""

        def write(tx: Transaction) -> bool:
            for job in jobs.running(tx, work.backup.group_uuid):
                if job.deadline is not None and tx.now > job.deadline and work.backup.intended == "Present":
                    return True
                jobs.progress(tx, job, job.step or "wait", job.progress, reason.details)
            return False

        if await self._context.database.write(write):
            return await self._failed(work, TimedOut(f"given up after waiting: {reason.details}"))
        return Next(seconds=min(UNREACHABLE_SECONDS, self._tries.pause().seconds))

    async def _failed(self, work: _Work, error: ApiError) -> Next:
        turned = await self._context.database.write(lambda tx: give_up(tx, work.backup, error))
        return AGAIN if turned else self._tries.after(f"backup {self._uuid}", error)

    def _load(self, snapshot: Snapshot) -> _Work | None:
        backup = snapshot.find(VolumeBackup, self._uuid)
        if backup is None or (backup.phase == "done" and backup.intended == "Present"):
            return None
        follows = backup.phase == "writing" and backup.intended == "Present"
        if follows and backup.uuid != backup.group_uuid:
            return None
        host = snapshot.find(Host, backup.host_uuid)
        storage = snapshot.find(BackupStorage, backup.backup_storage_uuid)
        return _Work(
            backup=backup,
            writer=snapshot.find(VolumeBackup, backup.group_uuid) or backup,
            host=target_of(host) if host is not None else None,
            storage=target_of(storage) if storage is not None else None,
            host_key=key_of(snapshot, storage) if storage is not None else "",
            request=_request(snapshot, backup),
            jobs=tuple(jobs.running(snapshot, backup.group_uuid)),
        )


def _request(snapshot: Snapshot, leader: VolumeBackup) -> BackUpVolumes:
    """What the host is asked to write for a group."""
    reserved = kept_free(snapshot, "primaryStorage")
    if leader.volume_snapshot_uuid is not None:
        copied = BackupDisk(
            volume_uuid=leader.volume_uuid, path=leader.volume_path, target=leader.staged_path, bitmap=""
        )
        return BackUpVolumes(disks=[copied], reserved_bytes=reserved)
    disks = []
    for backup in group_of(snapshot, leader):
        last = _adds_to(snapshot, backup)
        disks.append(
            BackupDisk(
                volume_uuid=backup.volume_uuid,
                path=backup.volume_path,
                target=backup.staged_path,
                bitmap=leader.group_uuid,
                since=last.group_uuid if last is not None else "",
                since_path=last.volume_path if last is not None else "",
            )
        )
    vm = snapshot.find(VmInstance, leader.vm_instance_uuid) if leader.vm_instance_uuid else None
    return BackUpVolumes(disks=disks, vm_uuid=vm.uuid if vm is not None else "", reserved_bytes=reserved)


def _adds_to(snapshot: Snapshot, backup: VolumeBackup) -> VolumeBackup | None:
    """The backup that one is to be an increment of; None when it is to be whole."""
    return last_of(snapshot, backup) if backup.mode == "incremental" else None


def _still_wanted(snapshot: Snapshot, uuid: str) -> bool:
    backup = snapshot.find(VolumeBackup, uuid)
    return backup is not None and backup.intended == "Present"


def _done(tx: Transaction, planned: VolumeBackup) -> None:
    backup = tx.find(VolumeBackup, planned.uuid)
    if backup is not None and backup.intended == "Present":
        tx.update(backup, phase="done")


def _there(machine: Target | None) -> Target:
    if machine is None:
        raise OperationFailed("a machine of this backup was deleted")
    return machine
