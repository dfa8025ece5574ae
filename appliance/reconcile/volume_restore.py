"""The worker of one restore: bring a backup with all that it adds to, join them, and let the volume be that file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid5

from agent.protocol import AnyRequest, DropFile, ImageFacts, JoinBackups, ObserveImage, Struct
from appliance.api.errors import ApiError, OperationFailed, TimedOut
from appliance.api.host import Host, HostKey
from appliance.api.job import LongJob
from appliance.api.storage import BackupStorage
from appliance.api.volume_backup import VolumeBackup, VolumeRestore
from appliance.hosts.fleet import Target
from appliance.reconcile import jobs
from appliance.reconcile.asking import Asker, Tries
from appliance.reconcile.carriage import Carriage
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.loop import AGAIN, DONE, Next
from appliance.reconcile.meter import expect
from appliance.reconcile.volume_backup_rows import chain_of
from appliance.reconcile.volume_restore_rows import forget, give_up, still_wanted, turn, turn_image
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
    host_key: str
    jobs: tuple[LongJob, ...]

    @property
    def staged(self) -> list[str]:
        """Where the backups are on the host meanwhile, the whole one first."""
        path = self.restore.install_path
        return [f"{path}.{place}" for place, _ in enumerate(self.chain)]

    @property
    def md5(self) -> list[str]:
        """What each of them must be."""
        return [backup.md5 or "" for backup in self.chain]


class VolumeRestoreWorker:
    """Makes one volume what a backup holds."""

    def __init__(self, context: Context, uuid: str) -> None:
        self._context = context
        self._uuid = uuid
        self._asker = Asker(context.fleet, context.database.new_uuid)
        self._tries = Tries()
        self._brought: set[str] = set()

    async def advance(self) -> Next:
        """One pass."""
        work = await self._context.database.read(self._load)
        if work is None:
            return DONE
        return await self._tries.attempt(
            self._pass(work), failed=partial(self._failed, work), away=partial(self._wait, work)
        )

    async def _pass(self, work: _Work) -> Next:
        restore = work.restore
        if restore.intended == "Absent":
            await self._withdraw(work)
            await self._context.database.write(lambda tx: forget(tx, restore))
            return DONE
        if restore.backup_storage_uuid is not None:
            await self._make_image(work)
            return DONE
        host = _there(work.host)
        await expect(self._context.database, work.jobs, self._left(work))
        for backup, path in zip(work.chain, work.staged, strict=True):
            if path not in self._brought:
                await self._bring(work, backup, host, path)
        await self._say(work, "join backups")
        join = JoinBackups(files=work.staged, md5=work.md5, path=restore.install_path)
        await self._ask(host, restore, join, JOIN_SECONDS)
        for path in work.staged:
            await self._ask(host, restore, DropFile(path=path))
        poked = await self._context.database.write(lambda tx: turn(tx, restore, work.chain[-1]))
        if poked is not None:
            self._context.poke(*poked)
        return DONE

    async def _make_image(self, work: _Work) -> None:
        """Join the backups where they are."""
        restore = work.restore
        storage = _there(work.storages.get(str(restore.backup_storage_uuid)))
        join = JoinBackups(
            files=[backup.install_path for backup in work.chain], md5=work.md5, path=restore.install_path
        )
        await self._say(work, "join backups")
        await self._ask(storage, restore, join, JOIN_SECONDS)
        request = ObserveImage(path=restore.install_path, format=restore.format)
        facts = await self._context.fleet.link(storage).ask(request, ImageFacts, timeout_seconds=JOIN_SECONDS)
        await self._context.database.write(lambda tx: turn_image(tx, restore, facts))

    async def _bring(self, work: _Work, backup: VolumeBackup, host: Target, path: str) -> None:
        carriage = self._carriage(work, backup, _there(work.storages.get(backup.backup_storage_uuid)), host)
        await carriage.bring(backup.install_path, path, work.jobs, title="bring backup to host")
        self._brought.add(path)

    def _left(self, work: _Work) -> dict[str, int]:
        """Bytes of each backup that is still to be brought, by the part of a job that it is."""
        pairs = zip(work.chain, work.staged, strict=True)
        return {_lane_of(work, backup): backup.size for backup, path in pairs if path not in self._brought}

    async def _withdraw(self, work: _Work) -> None:
        """Take from where it goes what has come, and let nothing more come."""
        beside = work.storages.get(work.restore.backup_storage_uuid or "")
        if beside is not None:
            await self._ask(beside, work.restore, DropFile(path=work.restore.install_path))
        if work.host is None:
            return
        for backup, path in zip(work.chain, work.staged, strict=True):
            storage = work.storages.get(backup.backup_storage_uuid)
            if storage is not None:
                await self._carriage(work, backup, storage, work.host).withdraw(path)
        await self._ask(work.host, work.restore, DropFile(path=work.restore.install_path))

    def _carriage(self, work: _Work, backup: VolumeBackup, storage: Target, host: Target) -> Carriage:
        uuid = work.restore.uuid
        return Carriage(
            context=self._context,
            asker=self._asker,
            uuid=_lane_of(work, backup),
            source=storage,
            storage=host,
            host_key=work.host_key,
            generation=work.restore.generation,
            wanted=lambda snapshot: still_wanted(snapshot, uuid),
            reserve="primaryStorage",
        )

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
        return Next(seconds=min(UNREACHABLE_SECONDS, self._tries.pause().seconds))

    async def _failed(self, work: _Work, error: ApiError) -> Next:
        self._brought.clear()
        turned = await self._context.database.write(lambda tx: give_up(tx, work.restore, error))
        return AGAIN if turned else self._tries.after(f"restore {self._uuid}", error)

    def _load(self, snapshot: Snapshot) -> _Work | None:
        restore = snapshot.find(VolumeRestore, self._uuid)
        if restore is None:
            return None
        host = snapshot.find(Host, restore.host_uuid) if restore.host_uuid is not None else None
        chain = chain_of(snapshot, snapshot.get(VolumeBackup, restore.backup_uuid))
        key = snapshot.find(HostKey, target_of(host).key) if host is not None else None
        storages = {each.uuid: target_of(each) for each in snapshot.all(BackupStorage)}
        return _Work(
            restore=restore,
            chain=tuple(chain),
            storages=storages,
            host=target_of(host) if host is not None else None,
            host_key=key.public_key if key is not None else "",
            jobs=tuple(jobs.running(snapshot, restore.uuid)),
        )


def _lane_of(work: _Work, backup: VolumeBackup) -> str:
    """What a backup is brought through for this restore."""
    return uuid5(UUID(work.restore.uuid), backup.uuid).hex


def _there(machine: Target | None) -> Target:
    if machine is None:
        raise OperationFailed("a machine of this restore was deleted")
    return machine
