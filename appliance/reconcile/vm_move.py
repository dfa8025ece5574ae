"""The worker of a running VM's move: make its place on the new host, have it go there, see where it is."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from agent.protocol import (
    DISKS_DOOR,
    LIBVIRT_DOOR,
    MEMORY_DOOR,
    AdoptFiles,
    AnyRequest,
    CloseLane,
    DestroyDomain,
    DomainSpec,
    Done,
    DropFile,
    DropNic,
    DropTraces,
    EnsureOverlay,
    EnsureVolume,
    MigrateDomain,
    ObserveVm,
    Struct,
    UndefineDomain,
    VmSeen,
)
from appliance.api.errors import ApiError, HostUnreachable, OperationFailed
from appliance.api.host import Host, HostKey
from appliance.api.image import Image
from appliance.api.job import LongJob
from appliance.api.move import VmMove
from appliance.api.vm import VmInstance
from appliance.hosts.fleet import Target
from appliance.hosts.link import Refused
from appliance.plans.move import GUEST, in_order, parts_of_vm
from appliance.plans.vm import VmIntent, networks_left
from appliance.plans.volume import VolumeIntent
from appliance.reconcile import jobs
from appliance.reconcile.asking import Asker
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.image_cache import is_leaving, remember
from appliance.reconcile.image_copy import ImageCopies
from appliance.reconcile.lane import Lane
from appliance.reconcile.loop import AGAIN, DONE, Backoff, Next
from appliance.reconcile.meter import expect
from appliance.reconcile.move_rows import is_being_cleared, move_limit, still_wanted, writes_too_fast
from appliance.reconcile.serial_history import carry_history
from appliance.reconcile.vm_move_rows import arrive, forget_vm_move, leave_vm_behind, leaves, stay
from appliance.reconcile.vm_rows import vm_intent, vm_rows
from appliance.store.errors import StoreCannotWrite
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

LIBVIRT = "/run/libvirt/libvirt-sock"
"""Where libvirt listens on a host, which is what a libvirt on another host talks to."""
UNREACHABLE_SECONDS = 5.0
HALTED = OperationFailed("its guest powered it off meanwhile")


@dataclass(frozen=True)
class _Ends:
    move: VmMove
    source: Target | None
    """None once that host was deleted, which it can be when the VM has left it."""
    target: Target | None


@dataclass(frozen=True)
class _Work:
    move: VmMove
    vm: VmInstance
    intent: VmIntent
    """What is to be on the new host."""
    source: Target
    target: Target
    host_key: str
    images: dict[str, tuple[str, int | None]]
    """Path of each image below a volume, or in the drive, to its uuid, and the bytes it takes; None: it is gone."""
    must_wait: bool
    jobs: tuple[LongJob, ...]

    @property
    def volumes(self) -> list[VolumeIntent]:
        return [*([self.intent.root] if self.intent.root else []), *self.intent.data]


class VmMoveWorker:
    """Brings one running VM to its new host, or leaves it where it never ceased to be.

    Nothing is concluded from what a host answers: who has the VM is seen, on both hosts, before each step
    that depends on it. While it runs on the source that is the VM, and whatever the target has is dropped.
    """

    def __init__(self, context: Context, copies: ImageCopies, uuid: str) -> None:
        self._context = context
        self._copies = copies
        self._uuid = uuid
        self._asker = Asker(context.fleet, context.database.new_uuid)
        self._backoff = Backoff()

    async def advance(self) -> Next:
        """One pass."""
        work = await self._context.database.read(self._load)
        match work:
            case None:
                return DONE
            case _Ends():
                return await self._tidy(work)
        try:
            return await self._pass(work)
        except HostUnreachable as unreachable:
            return await self._wait(work, unreachable, UNREACHABLE_SECONDS)
        except Refused as refused:
            if refused.refusal.transient or work.move.intended == "Absent":
                return await self._wait(work, refused, None)
            return await self._stay(work, HALTED if refused.refusal.code == "domain.off" else refused)
        except StoreCannotWrite:
            raise
        except ApiError as failed:
            return await self._stay(work, failed)

    async def _pass(self, work: _Work) -> Next:
        move, write = work.move, self._context.database.write
        if move.phase == "moving" or move.intended == "Absent":
            await self._say(work, "see where it is")
            await self._settle(move, work.source, work.target)
        if move.phase == "moving" and await self._has_left(work):
            await write(lambda tx: arrive(tx, move))
            return AGAIN
        if move.intended == "Absent":
            await self._clear_target(work)
            await write(lambda tx: forget_vm_move(tx, move))
            return DONE
        if work.must_wait:
            return await self._wait(
                work, OperationFailed("what has left the new host before is being removed there"), None
            )
        if (await self._look(work.source, work, [])).domain.power == "off":
            return await self._stay(work, HALTED)
        await self._go(work)
        return AGAIN

    async def _go(self, work: _Work) -> None:
        """Make the VM's place, and have it go there."""
        spec, move, lane = work.intent.spec, work.move, self._lane(work)
        if spec is None:
            raise OperationFailed(f"VM {work.vm.name}[uuid:{work.vm.uuid}] is not to run")
        await self._clear_target(work, keep=True)
        files, taken = await self._chains(work)
        heads = {volume.volume.path for volume in work.volumes}
        below = {path: builds_on for path, builds_on in files.items() if path not in heads}
        await self._say(work, "prepare new host")
        await self._serve(work)
        cached = await self._cached(work)
        fetched = {
            path: size for path, (_, size) in work.images.items() if path not in cached and size is not None
        }
        sizes = parts_of_vm(taken, heads, cached | set(fetched), spec.memory_bytes)
        await expect(self._context.database, work.jobs, fetched | sizes)
        missing = await self._bring_images(work, cached)
        # What somebody else has brought meanwhile is not this job's.
        await expect(self._context.database, work.jobs, sizes)
        below = dict.fromkeys(missing, "") | below
        ports = await lane.open(list(below), {LIBVIRT_DOOR: LIBVIRT, MEMORY_DOOR: "", DISKS_DOOR: ""}, spec)
        if below:
            await lane.copy(list(below), work.jobs)
            await self._ask(work.target, move, AdoptFiles(files=below))
        for request in self._heads(work, files):
            await self._ask(work.target, move, request)
        if not await self._context.database.write(lambda tx: leaves(tx, move, list(files))):
            return
        request = await self._migration(work, spec, ports)
        await lane.carry(request, Done, work.jobs, "move memory and disks", GUEST, grows=writes_too_fast)
        self._backoff.reset()

    async def _migration(self, work: _Work, spec: DomainSpec, ports: list[int]) -> MigrateDomain:
        return MigrateDomain(
            lane_uuid=work.move.uuid,
            address=work.target.address,
            port=work.target.port,
            username=work.target.username,
            host_key=work.host_key,
            spec=spec,
            memory_port=ports[0],
            disks_port=ports[1],
            bytes_per_second=await self._context.database.read(move_limit),
        )

    def _heads(self, work: _Work, files: dict[str, str]) -> Iterator[AnyRequest]:
        """The files that the guest writes to, empty: what is in them comes with the VM."""
        for volume in work.volumes:
            spec, below = volume.volume, files[volume.volume.path]
            yield DropFile(path=spec.path)
            if below and below != spec.backing:
                yield EnsureOverlay(
                    volume_uuid=spec.volume_uuid, path=spec.path, backing=below, size_bytes=spec.size_bytes
                )
            else:
                yield EnsureVolume(
                    volume_uuid=spec.volume_uuid,
                    path=spec.path,
                    size_bytes=spec.size_bytes,
                    backing=below or None,
                    backing_format=spec.backing_format,
                )

    async def _chains(self, work: _Work) -> tuple[dict[str, str], dict[str, int]]:
        """Every file of the VM's volumes, to the one that it builds on; and the bytes of each and of its images."""
        found: dict[str, str] = {}
        taken: dict[str, int] = {}
        for volume in work.volumes:
            paths = list(volume.files)
            seen = await self._look(work.source, work, [*paths, *volume.bases])
            taken |= seen.taken
            missing = [path for path in paths if path not in seen.volumes]
            if missing:
                raise OperationFailed(
                    f"{', '.join(missing)} is not on host {work.source.address}; mount the storage that holds it"
                )
            try:
                found |= in_order(paths, seen.backings, volume.bases)
            except ValueError as strange:
                raise OperationFailed(
                    f"the files on host {work.source.address} are no chain: {strange}"
                ) from strange
        return found, taken

    async def _serve(self, work: _Work) -> None:
        """Have the new host serve and guard the VM's NICs, as it will go on doing."""
        seen = await self._look(work.target, work, [])
        for step in networks_left(work.intent, seen):
            await self._ask(work.target, work.move, step.request, step.seconds)

    async def _cached(self, work: _Work) -> set[str]:
        """The images that the new host has."""
        request = ObserveVm(vm_uuid=work.vm.uuid, cache_paths=list(work.images))
        return set((await self._context.fleet.link(work.target).ask(request, VmSeen)).cached)

    async def _bring_images(self, work: _Work, cached: set[str]) -> list[str]:
        """Have the images on the new host; those that only the old one can give."""
        missing = []
        for path, (image_uuid, size) in work.images.items():
            if path in cached:
                continue
            if size is not None:
                limit = await self._context.database.read(move_limit)
                await self._copies.bring(image_uuid, work.target, path, work.jobs, bytes_per_second=limit)
                continue
            missing.append(path)
            await self._context.database.write(
                lambda tx, uuid=image_uuid, path=path: remember(tx, uuid, work.target.key, path)  # type: ignore[misc]
            )
        return missing

    async def _settle(self, move: VmMove, source: Target, target: Target) -> None:
        """End what an earlier try began and is still under way: then the VM is in one place."""
        vm_uuid = move.vm_instance_uuid
        await self._ask(
            source, move, CloseLane(lane_uuid=move.uuid, username=source.username, vm_uuid=vm_uuid)
        )
        await self._ask(target, move, CloseLane(lane_uuid=move.uuid, username=target.username))

    async def _has_left(self, work: _Work) -> bool:
        """Whether the VM is the target's: it is once it has left the source for good."""
        source = (await self._look(work.source, work, [])).domain
        if source.power != "off":
            return False
        target = (await self._look(work.target, work, [])).domain
        return target.power == "on" or (target.defined and not source.defined)

    async def _clear_target(self, work: _Work, *, keep: bool = False) -> None:
        """Take from the new host what has come to it; with `keep`, what a new try starts from stays."""
        target, move, vm_uuid = work.target, work.move, work.vm.uuid
        seen = await self._look(target, work, [])
        if seen.domain.power != "off":
            await self._ask(target, move, DestroyDomain(vm_uuid=vm_uuid))
        if seen.domain.defined:
            await self._ask(target, move, UndefineDomain(vm_uuid=vm_uuid))
        if keep:
            return
        await self._ask(target, move, DropTraces(vm_uuid=vm_uuid))
        for nic in seen.nics:
            await self._ask(target, move, DropNic(nic_uuid=nic))
        for volume in work.volumes:
            for path in volume.files:
                await self._ask(target, move, DropFile(path=path))
        for path in work.images:
            await self._ask(target, move, DropFile(path=f"{path}.part"))

    async def _tidy(self, ends: _Ends) -> Next:
        """Take from the old host what the new one has, whatever became of the VM since."""
        move = ends.move
        try:
            if ends.source is not None and ends.target is not None:
                await self._settle(move, ends.source, ends.target)
                await carry_history(self._context, self._asker, move, ends.source, ends.target)
            if ends.source is not None:
                await self._clear_source(move, ends.source)
        except ApiError as error:
            reason = error.details
            await self._context.database.write(lambda tx: leave_vm_behind(tx, move, reason))
            pause = self._backoff.next()
            away = isinstance(error, HostUnreachable)
            return Next(seconds=min(UNREACHABLE_SECONDS, pause.seconds)) if away else pause
        await self._context.database.write(lambda tx: forget_vm_move(tx, move))
        return DONE

    async def _clear_source(self, move: VmMove, source: Target) -> None:
        await self._ask(source, move, UndefineDomain(vm_uuid=move.vm_instance_uuid))
        await self._ask(source, move, DropTraces(vm_uuid=move.vm_instance_uuid))
        for nic in json.loads(move.nics):
            await self._ask(source, move, DropNic(nic_uuid=nic))
        for path in reversed(json.loads(move.files)):
            await self._ask(source, move, DropFile(path=path))

    async def _look(self, target: Target, work: _Work, paths: list[str]) -> VmSeen:
        return await self._context.fleet.link(target).ask(
            ObserveVm(vm_uuid=work.vm.uuid, volume_paths=paths), VmSeen
        )

    async def _ask(self, target: Target, move: VmMove, request: AnyRequest, seconds: float = 60.0) -> Struct:
        await self._asker.settle_unanswered(target, request)
        return await self._asker.ask(
            target, request, resource=move.uuid, generation=move.generation, timeout_seconds=seconds
        )

    def _lane(self, work: _Work) -> Lane:
        return Lane(
            context=self._context,
            asker=self._asker,
            uuid=work.move.uuid,
            generation=work.move.generation,
            source=work.source,
            target=work.target,
            host_key=work.host_key,
            wanted=lambda snapshot: still_wanted(snapshot.find(VmMove, self._uuid)),
            limit=move_limit,
        )

    async def _wait(self, work: _Work, reason: ApiError, seconds: float | None) -> Next:
        await self._say(work, "wait", reason.details)
        pause = self._backoff.next()
        return pause if seconds is None else Next(seconds=min(seconds, pause.seconds))

    async def _stay(self, work: _Work, error: ApiError) -> Next:
        turned = await self._context.database.write(lambda tx: stay(tx, work.move, error))
        return AGAIN if turned else self._backoff.after(f"move of vm {work.vm.uuid}", error)

    async def _say(self, work: _Work, step: str, waits_for: str | None = None) -> None:
        def write(tx: Transaction) -> None:
            for job in jobs.running(tx, self._uuid):
                jobs.progress(tx, job, step, job.progress, waits_for)

        if work.jobs:
            await self._context.database.write(write)

    def _load(self, snapshot: Snapshot) -> _Work | _Ends | None:
        move = snapshot.find(VmMove, self._uuid)
        if move is None:
            return None
        if move.phase == "moved":
            there = [snapshot.find(Host, uuid) for uuid in (move.source_host_uuid, move.host_uuid)]
            return _Ends(move, *(target_of(host) if host is not None else None for host in there))
        vm = snapshot.get(VmInstance, move.vm_instance_uuid)
        source, target = snapshot.get(Host, move.source_host_uuid), snapshot.get(Host, move.host_uuid)
        key = snapshot.find(HostKey, target_of(target).key)
        intent = vm_intent(vm_rows(snapshot, vm, target))
        return _Work(
            move=move,
            vm=vm,
            intent=intent,
            source=target_of(source),
            target=target_of(target),
            host_key=key.public_key if key is not None else "",
            images=_images(snapshot, intent),
            must_wait=is_being_cleared(snapshot, move.host_uuid) or is_leaving(snapshot, move.host_uuid),
            jobs=tuple(jobs.running(snapshot, move.uuid)),
        )


def _images(snapshot: Snapshot, intent: VmIntent) -> dict[str, tuple[str, int | None]]:
    """Path of each image that the VM has need of on a host, to its uuid, and the bytes it takes; None: it is gone."""
    volumes = (*((intent.root,) if intent.root else ()), *intent.data)
    wanted = {path: uuid for each in volumes for path, uuid in each.bases.items()}
    if intent.medium is not None:
        wanted[intent.medium.path] = intent.medium.image_uuid
    found = {path: (uuid, snapshot.find(Image, uuid)) for path, uuid in wanted.items()}
    return {
        path: (uuid, image.actual_size if image is not None else None)
        for path, (uuid, image) in found.items()
    }
