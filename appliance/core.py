"""Builds everything and wires it: the only constructor of services, in one appliance process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from typing import Any

import appliance.resources.every  # noqa: F401 - registers what answers each message
from agent.protocol import AnyEvent
from appliance.api.host import Host, HostKey
from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.l2 import L2NetworkClusterRef
from appliance.api.l3 import L3Network
from appliance.api.move import VmMove, VolumeMove
from appliance.api.node import ManagementNode
from appliance.api.recycle_bin import RecycleBinItem
from appliance.api.resource import Resource, Timestamp
from appliance.api.setting import GlobalConfig
from appliance.api.snapshot import VolumeSnapshotTree
from appliance.api.storage import BackupStorage, PrimaryStorageClusterRef
from appliance.api.tag import SystemTag
from appliance.api.template import VolumeReading
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup, VolumeRestore
from appliance.hosts.fleet import Dialer, Fleet
from appliance.hosts.simulated_dialer import SimulatedDialer
from appliance.reconcile.attachment import AttachmentWorker
from appliance.reconcile.backup_storage import BackupStorageWorker, written_storage
from appliance.reconcile.context import Context
from appliance.reconcile.figures import FigureHistory, Sampler
from appliance.reconcile.host import HostWorker
from appliance.reconcile.image import ImageWorker
from appliance.reconcile.image_cache import ImageCacheWorker, copies_without, unneeded
from appliance.reconcile.image_copy import ImageCopies
from appliance.reconcile.image_transfer import ImageTransfers
from appliance.reconcile.janitor import Janitor
from appliance.reconcile.l3 import L3NetworkWorker
from appliance.reconcile.loop import Loop, run_until_stopped
from appliance.reconcile.machine import DatabaseRoster
from appliance.reconcile.observe import Woken, host_at, lose_machine, take_event
from appliance.reconcile.patience import until_kept
from appliance.reconcile.recycle_bin import RecycleBinWorker
from appliance.reconcile.sessions import SessionCleaner
from appliance.reconcile.simulating import Simulating
from appliance.reconcile.vm import VmWorker
from appliance.reconcile.vm_move import VmMoveWorker
from appliance.reconcile.volume import VolumeWorker
from appliance.reconcile.volume_backup import VolumeBackupWorker
from appliance.reconcile.volume_move import VolumeMoveWorker
from appliance.reconcile.volume_restore import VolumeRestoreWorker
from appliance.reconcile.volume_rows import unfinished
from appliance.resources.job_limits import JobLimits
from appliance.resources.queued import QueuedCalls
from appliance.resources.registry import Live
from appliance.resources.service import ensure_flat_provider
from appliance.store.change_feed import Change
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

FIRST_LOOK_SECONDS = 3.0
BEAT_SECONDS = 60.0

TOLD_LIMIT = 50_000
"""What hosts said and the store does not take yet; with more, their scans repair the loss."""

RESTING = ("Running", "Stopped", "Destroyed")
"""VM states with nothing left to do: their workers are not started with the appliance."""


class DatabasePins:
    """Pinned SSH host keys, in the store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pinned(self, machine: str) -> str | None:
        """The public key pinned for a machine."""
        found = await self._database.read(lambda snapshot: snapshot.find(HostKey, machine))
        return found.public_key if found else None

    async def pin(self, machine: str, public_key: str, fingerprint: str) -> None:
        """Pin a machine's public key, in place of the one that is."""

        def write(tx: Transaction) -> None:
            known = tx.find(HostKey, machine)
            if known is None:
                tx.insert(HostKey(machine=machine, public_key=public_key, fingerprint=fingerprint))
            elif known.public_key != public_key:
                tx.update(known, public_key=public_key, fingerprint=fingerprint)
            for host in tx.all(Host):
                if f"{host.management_ip}:{host.ssh_port}" == machine:
                    tx.update(host, host_key_fingerprint=fingerprint)
            for storage in tx.all(BackupStorage):
                if f"{storage.hostname}:{storage.ssh_port}" == machine:
                    tx.update(storage, host_key_fingerprint=fingerprint)

        await self._database.write(write)


class Core:
    """The appliance without its faces: store, fleet and workers."""

    def __init__(self, database: Database, dialer: Dialer, simulated: SimulatedDialer | None = None) -> None:
        """`simulated` is the part of the dialer that reaches hosts which are furnished from the store."""
        self.database = database
        self._simulating = Simulating(database, simulated) if simulated is not None else None
        self.fleet = Fleet(
            database,
            DatabaseRoster(database),
            dialer,
            on_event=self._on_event,
            on_lost=self._on_lost,
            on_renewed=self._on_renewed,
        )
        self.loop = Loop(self._workers())
        self.transfers = ImageTransfers(database, self.fleet, self.loop.poke)
        self.figures = FigureHistory(database)
        self.live = Live(database, self.fleet, figures=self.figures)
        self._janitor = Janitor(database, self.loop.poke)
        self._sampler = Sampler(database, self.fleet, self.figures)
        self._sessions = SessionCleaner(database)
        self._told: asyncio.Queue[Callable[[Transaction], Woken]] = asyncio.Queue(TOLD_LIMIT)
        self.ready = asyncio.Event()
        """Set once what the store says is true of this start, and no longer of the last: each machine has been
        tried, or has had `FIRST_LOOK_SECONDS` to answer."""

    async def run(self) -> None:
        """Bring the cloud to what is intended, until cancelled."""
        await self.database.raise_epoch()
        await self.database.write(partial(_begin, owner=self.database.owner))
        subscription = self.database.feed.subscribe()
        await self._wake_all()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(run_until_stopped(self.loop), name="reconcile")
                group.create_task(self._take_told(), name="observe")
                group.create_task(self._first_look(), name="first look")
                group.create_task(self._follow(subscription), name="follow")
                if self._simulating is not None:
                    group.create_task(self._simulating.run(), name="simulating")
                group.create_task(self._beat(), name="heart beat")
                group.create_task(self._sampler.run(), name="figures")
                group.create_task(self._janitor.run(), name="janitor")
                group.create_task(self._give_turns(), name="queued calls")
                group.create_task(JobLimits(self.database).run(), name="job limits")
                group.create_task(self._sessions.run(), name="sessions")
        finally:
            subscription.close()
            await self.fleet.close()

    async def _beat(self) -> None:
        """Say again and again that this appliance runs."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            beat = partial(_join, owner=self.database.owner)
            await until_kept("heart beat", partial(self.database.write, beat))

    async def _give_turns(self) -> None:
        """What calls wait for is judged by what hosts are now, not by what they were when the last appliance ended."""
        await self.ready.wait()
        await QueuedCalls(self.database).run()

    async def _first_look(self) -> None:
        """Who starts an appliance to ask it for something wants the hosts that were there a moment ago."""
        changes = self.database.feed.subscribe()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_SECONDS):
                while await self.database.read(_connecting):
                    await anext(changes)
        changes.close()
        self.ready.set()

    def _workers(self) -> dict[str, Callable[[str], Any]]:
        context = Context(self.database, self.fleet, self._poke, self._poke_in_turn)
        copies = ImageCopies(context)
        return {
            "VmInstance": lambda uuid: VmWorker(context, copies, uuid),
            "Volume": lambda uuid: VolumeWorker(context, copies, uuid),
            "VolumeBackup": lambda uuid: VolumeBackupWorker(context, uuid),
            "VolumeRestore": lambda uuid: VolumeRestoreWorker(context, uuid),
            "VolumeMove": lambda uuid: VolumeMoveWorker(context, copies, uuid),
            "VmMove": lambda uuid: VmMoveWorker(context, copies, uuid),
            "Host": lambda uuid: HostWorker(context, uuid),
            "BackupStorage": lambda uuid: BackupStorageWorker(context, uuid),
            "Image": lambda uuid: ImageWorker(context, uuid),
            "L2NetworkClusterRef": lambda uuid: AttachmentWorker(context, L2NetworkClusterRef, uuid),
            "PrimaryStorageClusterRef": lambda uuid: AttachmentWorker(
                context, PrimaryStorageClusterRef, uuid
            ),
            "RecycleBinItem": lambda uuid: RecycleBinWorker(context, uuid),
            "ImageCache": lambda uuid: ImageCacheWorker(context, uuid),
            "L3Network": lambda uuid: L3NetworkWorker(context, uuid),
        }

    def _poke(self, kind: str, uuid: str) -> None:
        """The loop's bell, which workers get before the loop that they are part of is made."""
        self.loop.poke(kind, uuid)

    def _poke_in_turn(self, kind: str, uuids: Iterable[str]) -> None:
        """Its bell for very many."""
        self.loop.poke_in_turn(kind, uuids)

    async def _wake_all(self) -> None:
        """Give a worker to everything that may have something left to do."""
        found, vms = await self.database.read(lambda snapshot: (_unfinished(snapshot), _unsettled(snapshot)))
        for kind, uuid in found:
            self.loop.poke(kind, uuid)
        self.loop.poke_in_turn("VmInstance", vms)

    async def _follow(self, subscription: Any) -> None:
        """Wake workers when what is intended for their resource changes."""
        async for batch in subscription:
            if not isinstance(batch, tuple):
                await self._wake_all()
                continue
            for change in batch:
                await self._followed(change)

    async def _followed(self, change: Change) -> None:
        after = change.after
        if after is None and change.before is not None:
            await self._followed_end(change.before)
        written = written_storage(change.before, after)
        if written is not None:
            self.loop.poke("BackupStorage", written)
        match after or change.before:
            case SystemTag(resource_type="VmInstanceVO") as tag:
                self.loop.poke("VmInstance", tag.resource_uuid)
            case SystemTag(resource_type="HostVO", inherent=False) as tag:
                self.loop.poke("Host", tag.resource_uuid)
            case ImageBackupStorageRef() as ref:
                self.loop.poke("Image", ref.image_uuid)
            case RecycleBinItem(reclaimable_size=None) as item if change.before is None:
                self.loop.poke(item.name_, item.uuid)
            case GlobalConfig() as changed:
                await self._followed_setting(changed)
            case _:
                await self._followed_intent(change, after)

    async def _followed_setting(self, changed: GlobalConfig) -> None:
        """Wake who sleeps as long as a setting says, or would not look before that."""
        self._janitor.look_again(changed.category)
        match changed.category, changed.name:
            case ("host", "ping.interval" | "connection.autoReconnectOnError") | ("kvm", "accelerator"):
                await self._wake_each(Host)
            case "backupStorage", "ping.interval":
                await self._wake_each(BackupStorage)
            case "monitor", "interval":
                self._sampler.look_again()
            case "identity", "session.cleanup.interval":
                self._sessions.look_again()

    async def _wake_each(self, kind: type[Host | BackupStorage]) -> None:
        uuids = await self.database.read(lambda snapshot: [each.uuid for each in snapshot.all(kind)])
        self.loop.poke_in_turn(kind.name_, uuids)

    async def _followed_intent(self, change: Change, after: Resource | None) -> None:
        wanted = _wanted(after)
        if wanted is None or wanted == _wanted(change.before):
            return
        key = str(change.key)
        self.loop.poke(change.kind.name_, key)
        if isinstance(after, L3Network):
            self.loop.poke_in_turn(
                "VmInstance", await self.database.read(lambda snapshot: _vms_of(snapshot, key))
            )

    async def _followed_end(self, gone: Resource) -> None:
        """What is gone may have been the last to need a copy of an image."""
        if isinstance(gone, (Image, Volume, VolumeMove, VolumeRestore, VolumeSnapshotTree, SystemTag)):
            for uuid in await self.database.read(lambda snapshot: copies_without(snapshot, gone)):
                self.loop.poke("ImageCache", uuid)

    def _on_event(self, machine: str, event: AnyEvent) -> None:
        self._tell(take_event(machine, event))

    def _on_lost(self, machine: str, reason: str) -> None:
        def write(tx: Transaction) -> Woken:
            lose_machine(tx, machine, reason)
            return ()

        self._tell(write)

    def _on_renewed(self, machine: str) -> None:
        def write(tx: Transaction) -> Woken:
            host = host_at(tx, machine)
            return (("Host", host.uuid),) if host is not None else ()

        self._tell(write)

    def _tell(self, write: Callable[[Transaction], Woken]) -> None:
        if not self._told.full():  # then the store takes nothing, which is logged
            self._told.put_nowait(write)

    async def _take_told(self) -> None:
        """Write what hosts said, in the order in which they said it."""
        while True:
            write = await self._told.get()
            try:
                woken = await until_kept("what hosts say", partial(self.database.write, write))
            except Exception:
                # What one host says must not stop the others from being heard; a scan repairs the loss.
                log.exception("what a host said could not be written")
                continue
            for kind, uuid in woken:
                self.loop.poke(kind, uuid)


def _begin(tx: Transaction, owner: str) -> None:
    """Nobody is connected yet, whatever was written before the appliance ended."""
    ensure_flat_provider(tx)
    _join(tx, owner)
    for machine in (*tx.all(Host, status="Connected"), *tx.all(BackupStorage, status="Connected")):
        tx.update(machine, status="Connecting")


def _join(tx: Transaction, owner: str) -> None:
    """Say that this appliance runs, and where."""
    machine, now = socket.gethostname(), Timestamp(tx.now)
    known = tx.find(ManagementNode, owner)
    if known is None:
        tx.insert(ManagementNode(uuid=owner, host_name=machine, join_date=now, heart_beat=now))
    else:
        tx.update(known, host_name=machine, heart_beat=now)


def _connecting(snapshot: Snapshot) -> bool:
    return any(snapshot.first(kind, status="Connecting") for kind in (Host, BackupStorage))


def _unfinished(snapshot: Snapshot) -> list[tuple[str, str]]:
    """What may have something left to do when the appliance starts."""
    found = [("Host", host.uuid) for host in snapshot.all(Host)]
    found += [("BackupStorage", storage.uuid) for storage in snapshot.all(BackupStorage)]
    copies = [ref for ref in snapshot.all(ImageBackupStorageRef) if not ref.whole]
    made = [each.uuid for each in snapshot.all(VolumeReading) if snapshot.exists(Image, uuid=each.uuid)]
    found += [("Image", uuid) for uuid in {*(ref.image_uuid for ref in copies), *made}]
    found += [(ref.name_, ref.uuid) for ref in snapshot.all(L2NetworkClusterRef)]
    found += [(ref.name_, ref.uuid) for ref in snapshot.all(PrimaryStorageClusterRef)]
    found += [("VolumeMove", move.uuid) for move in snapshot.all(VolumeMove)]
    found += [("VmMove", move.uuid) for move in snapshot.all(VmMove)]
    found += [(item.name_, item.uuid) for item in snapshot.all(RecycleBinItem, reclaimable_size=None)]
    found += [("ImageCache", uuid) for uuid in unneeded(snapshot)]
    found += [("VolumeRestore", restore.uuid) for restore in snapshot.all(VolumeRestore)]
    found += [("VolumeBackup", backup.uuid) for backup in snapshot.all(VolumeBackup) if backup.is_unfinished]
    found += [("L3Network", l3.uuid) for l3 in snapshot.all(L3Network, intended="Absent")]
    found += [("Volume", volume.uuid) for volume in snapshot.all(Volume, type="Data") if unfinished(volume)]
    return found


def _unsettled(snapshot: Snapshot) -> list[str]:
    """The VMs that may have something left to do, those last of which it is only not known what they are."""
    states = {row[0] for row in snapshot.rows("SELECT DISTINCT state FROM vm_instance")}.difference(RESTING)
    ordered = sorted(states, key=lambda state: (state == "Unknown", state))
    return [vm.uuid for state in ordered for vm in snapshot.all(VmInstance, state=state)]


def _wanted(resource: Resource | None) -> tuple[Any, ...] | None:
    """What a worker of a resource carries out: it looks again when that is another. None for what has none."""
    match resource:
        case VmInstance() as vm:
            # Its name and its default network are served to the guest.
            return vm.intended, vm.generation, vm.name, vm.default_l3_network_uuid
        case Host() | BackupStorage() as machine:
            return machine.intended, machine.connect_id, machine.status, machine.state
        case L2NetworkClusterRef() | PrimaryStorageClusterRef() as ref:
            return (ref.intended,)
        case Volume(type="Data") | L3Network() as found:
            return found.intended, found.generation
        case VolumeMove() | VmMove() | VolumeRestore() as move:
            return (move.intended,)
        case VolumeBackup() as backup:
            return backup.intended, backup.phase
    return None


def _vms_of(snapshot: Snapshot, l3_uuid: str) -> list[str]:
    sql = "SELECT vm_instance_uuid FROM vm_nic WHERE l3_network_uuid = ?"
    return [uuid for (uuid,) in snapshot.rows(sql, (l3_uuid,))]


@contextlib.asynccontextmanager
async def running(core: Core) -> AsyncIterator[Core]:
    """Run a core while the body runs."""
    task = asyncio.create_task(core.run(), name="core")
    try:
        yield core
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
