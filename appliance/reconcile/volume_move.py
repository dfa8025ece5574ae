"""The worker of one volume's move: copy, prove, name, flip the ownership, and only then remove the source."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import partial

from agent.protocol import (
    AdoptFiles,
    AnyRequest,
    CloseLane,
    DropFile,
    DropNic,
    DropTraces,
    ObserveVm,
    UndefineDomain,
    VmSeen,
)
from appliance.api.errors import ApiError, HostUnreachable, ImageFailed, OperationFailed, TimedOut
from appliance.api.host import Host, HostKey
from appliance.api.image import Image, ImageCache
from appliance.api.job import LongJob
from appliance.api.move import VolumeMove
from appliance.api.volume import Volume
from appliance.hosts.fleet import Target
from appliance.hosts.link import Refused
from appliance.plans.move import FILES, in_order
from appliance.plans.volume import VolumeIntent
from appliance.reconcile import jobs
from appliance.reconcile.asking import Asker
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.image_cache import is_leaving, remember
from appliance.reconcile.image_copy import ImageCopies
from appliance.reconcile.lane import Lane
from appliance.reconcile.loop import AGAIN, DONE, Backoff, Next
from appliance.reconcile.meter import expect
from appliance.reconcile.move_rows import is_being_cleared, move_limit, still_wanted
from appliance.reconcile.volume_move_rows import flip, forget, give_up, leave_behind, verified
from appliance.reconcile.volume_rows import images_below, volume_intent
from appliance.store.errors import StoreCannotWrite
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

SILENT_SECONDS = 600.0
"""So long no byte may arrive before a copy is given up; it takes as long as it takes otherwise."""
UNREACHABLE_SECONDS = 5.0


@dataclass(frozen=True)
class _Work:
    move: VolumeMove
    intent: VolumeIntent | None
    source: Target | None
    target: Target | None
    host_key: str
    images: dict[str, int]
    """Those of what it builds on that are still there, with the bytes that they take."""
    copies: frozenset[str]
    """What the source has of images, by path: that is not the volume's."""
    must_wait: bool
    jobs: tuple[LongJob, ...]


class VolumeMoveWorker:
    """Brings one volume to its new host, or back to where it was never away from."""

    def __init__(self, context: Context, copies: ImageCopies, uuid: str) -> None:
        self._context = context
        self._copies = copies
        self._uuid = uuid
        self._asker = Asker(context.fleet, context.database.new_uuid)
        self._backoff = Backoff()
        self._arrived = 0
        self._silent_since: float | None = None

    async def advance(self) -> Next:
        """One pass."""
        work = await self._context.database.read(self._load)
        if work is None:
            return DONE
        try:
            return await self._pass(work)
        except StoreCannotWrite:
            raise
        except ApiError as error:
            return await self._hindered(work, error)

    async def _hindered(self, work: _Work, error: ApiError) -> Next:
        move = work.move
        if move.phase == "moved":
            await self._context.database.write(lambda tx: leave_behind(tx, move, error.details))
        if isinstance(error, HostUnreachable):
            return await self._wait(work, error, UNREACHABLE_SECONDS)
        stays = move.phase == "moved" or move.intended == "Absent"
        if isinstance(error, Refused) and (error.refusal.transient or stays):
            return await self._wait(work, error, None)
        return await self._failed(work, error)

    async def _pass(self, work: _Work) -> Next:
        move, database = work.move, self._context.database
        if move.intended == "Absent":
            await self._undo(work)
        elif move.phase == "moved":
            await self._clear_source(work)
        elif work.must_wait:
            return await self._wait(
                work, OperationFailed("what has left the new host before is being removed there"), None
            )
        else:
            if move.phase == "copying":
                await self._copy(work)
            else:
                await self._say(work, "name the files")
                await self._ask(_there(work.target), move, AdoptFiles(files=json.loads(move.files)))
                await database.write(lambda tx: flip(tx, move))
            return AGAIN
        await database.write(lambda tx: forget(tx, move))
        return DONE

    async def _copy(self, work: _Work) -> None:
        """Bring the base image, then every file of the volume; nothing has its name there afterwards."""
        move, source = work.move, _there(work.source)
        if work.intent is None:
            raise OperationFailed(f"volume {move.name}[uuid:{move.volume_uuid}] is gone")
        volume = work.intent.volume
        if move.vm_instance_uuid is not None:
            # Nobody is to start it from the files that leave.
            await self._ask(source, move, UndefineDomain(vm_uuid=move.vm_instance_uuid))
        files, taken = await self._files(work.intent, source, volume.volume_uuid)
        bases = {base: uuid for base, uuid in work.intent.bases.items() if base in files.values()}
        cached = await self._cached(work, list(bases))
        fetched = {base: uuid for base, uuid in bases.items() if base not in cached and uuid in work.images}
        sizes = {
            FILES: sum(size for path, size in taken.items() if path not in cached and path not in fetched)
        }
        await expect(
            self._context.database,
            work.jobs,
            sizes | {base: work.images[uuid] for base, uuid in fetched.items()},
        )
        key = _there(work.target).key
        for base, image_uuid in bases.items():
            if base in cached or (base in fetched and await self._bring_base(work, base, image_uuid)):
                continue
            note = partial(remember, image_uuid=image_uuid, machine=key, path=base)
            await self._context.database.write(note)
            files = {base: "", **files}
        lane = self._lane(work)
        await lane.open(list(files))
        copied = await lane.copy(list(files), work.jobs, self._progressed)
        self._backoff.reset()
        await self._context.database.write(lambda tx: verified(tx, move, files, copied))

    def _lane(self, work: _Work) -> Lane:
        move = work.move
        return Lane(
            context=self._context,
            asker=self._asker,
            uuid=move.uuid,
            generation=move.generation,
            source=_there(work.source),
            target=_there(work.target),
            host_key=work.host_key,
            wanted=lambda snapshot: still_wanted(snapshot.find(VolumeMove, move.uuid)),
            limit=move_limit,
        )

    def _progressed(self, done: int) -> None:
        if done > self._arrived:
            self._arrived, self._silent_since = done, None

    async def _files(
        self, intent: VolumeIntent, source: Target, uuid: str
    ) -> tuple[dict[str, str], dict[str, int]]:
        """The volume's files, the lowest first, each to the one it builds on; and the bytes of those and its bases."""
        paths = list(intent.files)
        request = ObserveVm(vm_uuid=uuid, volume_paths=[*paths, *intent.bases])
        seen = await self._context.fleet.link(source).ask(request, VmSeen)
        missing = [path for path in paths if path not in seen.volumes]
        if missing:
            raise OperationFailed(
                f"{', '.join(missing)} is not on host {source.address}; mount the storage that holds it, then try again"
            )
        try:
            return in_order(paths, seen.backings, intent.bases), seen.taken
        except ValueError as strange:
            raise OperationFailed(f"the files on host {source.address} are no chain: {strange}") from strange

    async def _cached(self, work: _Work, paths: list[str]) -> list[str]:
        """Those of some images that the new host has."""
        request = ObserveVm(vm_uuid=work.move.uuid, cache_paths=paths)
        return (await self._context.fleet.link(_there(work.target)).ask(request, VmSeen)).cached

    async def _bring_base(self, work: _Work, path: str, image_uuid: str) -> bool:
        """Have the image below the volume on the new host; False when only the old one can give it."""
        target = _there(work.target)
        try:
            limit = await self._context.database.read(move_limit)
            await self._copies.bring(image_uuid, target, path, work.jobs, bytes_per_second=limit)
        except ImageFailed:
            return False
        return True

    async def _undo(self, work: _Work) -> None:
        """Take from the new host what has come to it."""
        await self._close(work)
        intent = work.intent
        if work.target is None or intent is None:
            return
        for path in [*reversed(intent.files), *(f"{base}.part" for base in intent.bases)]:
            await self._ask(work.target, work.move, DropFile(path=path))

    async def _clear_source(self, work: _Work) -> None:
        """Take from the old host what the new one has: the call ends with that, or when it cannot be done now."""
        await self._say(work, "remove what was moved")
        await self._close(work)
        move, source = work.move, work.source
        if source is None:
            return
        if move.vm_instance_uuid is not None:
            await self._ask(source, move, UndefineDomain(vm_uuid=move.vm_instance_uuid))
            await self._ask(source, move, DropTraces(vm_uuid=move.vm_instance_uuid))
        for nic in json.loads(move.nics):
            await self._ask(source, move, DropNic(nic_uuid=nic))
        for path in reversed(json.loads(move.files)):
            if path not in work.copies:
                await self._ask(source, move, DropFile(path=path))

    async def _close(self, work: _Work) -> None:
        for end in (work.source, work.target):
            if end is not None:
                request = CloseLane(lane_uuid=work.move.uuid, username=end.username)
                await self._ask(end, work.move, request)

    async def _ask(self, target: Target, move: VolumeMove, request: AnyRequest) -> object:
        await self._asker.settle_unanswered(target, request)
        return await self._asker.ask(target, request, resource=move.uuid, generation=move.generation)

    async def _wait(self, work: _Work, reason: ApiError, seconds: float | None) -> Next:
        """Try again later: what has arrived stays. Given up when nothing arrives for long."""
        now = self._context.database.now()
        if self._silent_since is None:
            self._silent_since = now
        copies = work.move.phase == "copying" and work.move.intended == "Present"
        if copies and now - self._silent_since > SILENT_SECONDS:
            late = TimedOut(f"nothing arrived for {SILENT_SECONDS:g} s: {reason.details}")
            return await self._failed(work, late)
        await self._say(work, "wait", reason.details)
        pause = self._backoff.next()
        return pause if seconds is None else Next(seconds=min(seconds, pause.seconds))

    async def _failed(self, work: _Work, error: ApiError) -> Next:
        turned = await self._context.database.write(lambda tx: give_up(tx, work.move, error))
        return AGAIN if turned else self._backoff.after(f"move {self._uuid}", error)

    async def _say(self, work: _Work, step: str, waits_for: str | None = None) -> None:
        def write(tx: Transaction) -> None:
            for job in jobs.running(tx, self._uuid):
                jobs.progress(tx, job, step, job.progress, waits_for)

        if work.jobs:
            await self._context.database.write(write)

    def _load(self, snapshot: Snapshot) -> _Work | None:
        move = snapshot.find(VolumeMove, self._uuid)
        if move is None or move.vm_move_uuid is not None:
            return None
        volume = snapshot.find(Volume, move.volume_uuid)
        below = images_below(snapshot, volume) if volume is not None else ()
        source, target = snapshot.find(Host, move.source_host_uuid), snapshot.find(Host, move.host_uuid)
        key = snapshot.find(HostKey, target_of(target).key) if target is not None else None
        return _Work(
            move=move,
            intent=volume_intent(snapshot, volume) if volume is not None else None,
            source=target_of(source) if source is not None else None,
            target=target_of(target) if target is not None else None,
            host_key=key.public_key if key is not None else "",
            images={
                image.uuid: image.actual_size
                for uuid in below
                if (image := snapshot.find(Image, uuid)) is not None
            },
            copies=frozenset(
                copy.install_path for copy in snapshot.all(ImageCache, host_uuid=move.source_host_uuid)
            ),
            must_wait=is_being_cleared(snapshot, move.host_uuid) or is_leaving(snapshot, move.host_uuid),
            jobs=tuple(jobs.running(snapshot, move.uuid)),
        )


def _there(machine: Target | None) -> Target:
    if machine is None:
        raise OperationFailed("a host of this move was deleted")
    return machine
