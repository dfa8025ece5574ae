"""The worker of one host: connect it, make it as its cluster wants it, scan it again and again."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from functools import partial

from agent.protocol import (
    Accelerator,
    Capacity,
    Done,
    DropBridge,
    DropNetwork,
    DropStorage,
    EnsureStorage,
    Fetches,
    HostFacts,
    HostSeen,
    ObserveHost,
    ProbeAccelerator,
    ProbedAccelerator,
    ReadFetches,
    UserdataFetch,
)
from appliance.api.errors import AddHostFailed, ApiError, OperationFailed, ReconnectFailed
from appliance.api.host import Host
from appliance.api.image import ImageCache
from appliance.api.l2 import L2Network, L2NetworkClusterRef
from appliance.api.message import MESSAGES
from appliance.api.simulator import HYPERVISOR
from appliance.api.storage import BackupStorage, LocalStorageHostRef, PrimaryStorage, PrimaryStorageClusterRef
from appliance.api.tag import SystemTag
from appliance.api.vm import VmInstance
from appliance.hosts.fleet import Target
from appliance.hosts.link import LinkLost
from appliance.plans import host as host_plan
from appliance.plans.naming import bridge
from appliance.plans.step import Ask
from appliance.plans.vm_spec import l2_spec
from appliance.reconcile import jobs
from appliance.reconcile.asking import Asker, Tries
from appliance.reconcile.capacity import recount_host, recount_storage
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.host_tags import put_host_tags
from appliance.reconcile.loop import AGAIN, DONE, Next
from appliance.reconcile.machine import forget_key, in_use, leave_machine
from appliance.reconcile.maintenance import SOON, begin_if_empty, cannot_empty
from appliance.reconcile.observe import Woken, mark_disconnected, record_fetches, take_scan, vms_on
from appliance.reconcile.on_host import under_way_on
from appliance.reconcile.vm_state import placed_on
from appliance.reconcile.volume_rows import volumes_on
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

log = logging.getLogger(__name__)

PROBE_SECONDS = 60.0


@dataclass(frozen=True)
class _Work:
    host: Host
    target: Target
    intent: host_plan.HostIntent
    forced: Accelerator | None
    interval: float
    reconnect: bool
    connects: float
    """How many hosts may be connected at once; `math.inf` is any number."""
    scans: int
    """How many may be scanned at once."""


class HostWorker:
    """Keeps one host connected and as its cluster wants it."""

    def __init__(self, context: Context, uuid: str) -> None:
        self._context = context
        self._uuid = uuid
        self._asker = Asker(context.fleet, context.database.new_uuid)
        self._tries = Tries()
        self._probed: Accelerator | None = None
        """How guests were to run when that was last probed; None is by trial."""

    async def advance(self) -> Next:
        """One pass: connect if need be, then scan and mend."""
        work = await self._context.database.read(self._load)
        if work is None:
            return DONE
        if work.host.intended == "Absent":
            return await self._leave(work)
        return await self._tries.attempt(self._pass(work), failed=partial(self._failed, work))

    async def _pass(self, work: _Work) -> Next:
        if work.host.connected_id < work.host.connect_id or not self._connected(work):
            async with self._context.connecting.one_of(work.connects):
                await self._connect(work)
        elif work.forced != self._probed:
            await self._probe_again(work)
        async with self._context.scanning.one_of(work.scans):
            await self._mend(work)
        self._tries.reset()
        if work.host.state == "PreMaintenance" and await self._still_emptying():
            return Next(seconds=SOON)
        return Next(seconds=work.interval)

    async def _still_emptying(self) -> bool:
        return await self._context.database.write(lambda tx: begin_if_empty(tx, self._uuid))

    def _connected(self, work: _Work) -> bool:
        version = self._context.fleet.agent_version(work.target)
        return version is not None and version == work.host.agent_version and work.host.status == "Connected"

    async def _connect(self, work: _Work) -> None:
        """From nothing to a connected host: link, facts, accelerator, cluster's things, states of VMs."""
        fleet, database = self._context.fleet, self._context.database
        asked = work.host.connect_id
        if work.host.connected_id < asked and work.host.connected_id:
            fleet.disconnect(work.target, "reconnect asked for")
        await database.write(lambda tx: self._say(tx, "connect", 10))
        facts = await fleet.connect(work.target)
        await database.write(lambda tx: self._say(tx, "probe accelerator", 40))
        probed = await self._probe(work)
        link = fleet.link(work.target)
        await database.write(lambda tx: self._say(tx, "make storage and bridges", 60))
        await self._make(work, await link.ask(ObserveHost(), HostSeen))
        seen = await fleet.link(work.target).ask(ObserveHost(), HostSeen)

        def write(tx: Transaction) -> None:
            host = tx.find(Host, self._uuid)
            if host is None or host.intended == "Absent":
                return
            host = _connected(tx, host, facts, probed, asked)
            take_scan(tx, host, seen, fresh=True)

        await database.write(write)  # all that is on it is looked at below
        await self._catch_up(work.target)
        vms = await database.read(lambda snapshot: vms_on(snapshot, self._uuid))
        self._context.poke_in_turn("VmInstance", [vm.uuid for vm in vms])
        volumes = await database.read(lambda snapshot: volumes_on(snapshot, work.host))
        self._context.poke_in_turn("Volume", [volume.uuid for volume in volumes])
        for kind, uuid in await database.read(lambda snapshot: list(under_way_on(snapshot, work.host))):
            self._context.poke(kind, uuid)

    async def _probe(self, work: _Work) -> ProbedAccelerator:
        link, request = self._context.fleet.link(work.target), ProbeAccelerator(forced=work.forced)
        probed = await link.ask(request, ProbedAccelerator, timeout_seconds=PROBE_SECONDS)
        self._probed = work.forced
        return probed

    async def _probe_again(self, work: _Work) -> None:
        """A tag or the setting says otherwise than before how guests run: those that start from now on."""
        probed = await self._probe(work)

        def write(tx: Transaction) -> None:
            host = tx.find(Host, self._uuid)
            if host is None or host.intended == "Absent" or host.hypervisor_type == HYPERVISOR:
                return
            if host.accelerator != probed.accelerator:
                tx.update(host, accelerator=probed.accelerator)
                tx.note("HostAccelerator", f"{host.name}: guests run by {probed.accelerator}", about=host)

        await self._context.database.write(write)

    async def _catch_up(self, target: Target) -> None:
        """Read what guests asked for while nobody listened, page by page."""
        while True:
            host = await self._context.database.read(lambda snapshot: snapshot.find(Host, self._uuid))
            if host is None:
                return
            request = ReadFetches(after=host.fetch_sequence)
            found = (await self._context.fleet.link(target).ask(request, Fetches)).fetches
            if not found:
                return
            await self._context.database.write(partial(_record_page, host_uuid=self._uuid, fetches=found))

    async def _mend(self, work: _Work) -> None:
        link = self._context.fleet.link(work.target)
        seen = await link.ask(ObserveHost(), HostSeen)
        await self._make(work, seen)

        def write(tx: Transaction) -> Woken:
            host = tx.find(Host, self._uuid)
            return take_scan(tx, host, seen) if host is not None and host.intended == "Present" else ()

        for kind, uuid in await self._context.database.write(write):
            self._context.poke(kind, uuid)

    async def _make(self, work: _Work, seen: HostSeen) -> None:
        for step in host_plan.plan(work.intent, seen):
            if not isinstance(step, Ask):
                continue
            reply = await self._asker.ask(work.target, step.request, resource="", generation=0)
            if isinstance(reply, Capacity) and isinstance(step.request, EnsureStorage):
                put = partial(
                    put_capacity,
                    storage_uuid=step.request.storage_uuid,
                    host_uuid=self._uuid,
                    capacity=reply,
                )
                await self._context.database.write(put)

    async def _leave(self, work: _Work) -> Next:
        """Take everything of ours from the host if it can be reached, then forget it."""
        left = ""
        try:
            await self._strip(work)
            await leave_machine(self._context, work.host)
        except ApiError as failed:
            left = f"{work.host.name}: forgotten with what is on it: {failed.details}"
        if not await in_use(self._context, work.host):
            self._context.fleet.disconnect(work.target, "the host was deleted")

        def write(tx: Transaction) -> None:
            forget(tx, work.host)
            if left:
                tx.note("HostLeftAsItIs", left, level="warning", about=work.host)

        await self._context.database.write(write)
        return DONE

    async def _strip(self, work: _Work) -> None:
        link = self._context.fleet.link(work.target)
        seen = await link.ask(ObserveHost(), HostSeen)
        await self._context.database.read(lambda snapshot: _refuse_others(snapshot, self._uuid, seen))
        for l3_uuid in seen.networks:
            await link.ask(DropNetwork(l3_uuid=l3_uuid), Done)
        bridges = await self._context.database.read(lambda snapshot: _bridge_names(snapshot, seen))
        for l2_uuid, name in bridges.items():
            await link.ask(DropBridge(l2_uuid=l2_uuid, bridge=name), Done)
        for storage_uuid in seen.storage.keys() - await self._context.database.read(_backup_storages):
            await link.ask(DropStorage(storage_uuid=storage_uuid), Done)

    async def _failed(self, work: _Work, error: ApiError) -> Next:
        """A host that was never connected is not kept; another is tried again, ever more slowly."""
        if isinstance(error, LinkLost) and self._context.fleet.linked(work.target):
            return AGAIN  # its agent was renewed under way

        def write(tx: Transaction) -> bool:
            host = tx.find(Host, self._uuid)
            if host is None or host.intended == "Absent":
                return True
            cannot_empty(tx, host, error)
            found = jobs.running(tx, host.uuid)
            if host.connected_id == 0:
                named = f"managementIp[{host.management_ip}]: {error.details}"
                for job in found:
                    jobs.doom(tx, job, AddHostFailed(named, cause=error))
                tx.update(host, intended="Absent")
                return True
            mark_disconnected(tx, host, error.details)
            tx.update(tx.get(Host, host.uuid), connected_id=work.host.connect_id)
            for job in found:
                jobs.fail(tx, job, ReconnectFailed(cause=error))
            return False

        if await self._context.database.write(write):
            return AGAIN
        pause = self._tries.after(f"host {work.host.name}", error)
        return pause if work.reconnect else Next(seconds=3600.0)

    def _load(self, snapshot: Snapshot) -> _Work | None:
        host = snapshot.find(Host, self._uuid)
        if host is None:
            return None
        return _Work(
            host,
            target_of(host),
            host_intent(snapshot, host),
            _forced(snapshot, host),
            float(snapshot.setting("host", "ping.interval")),
            snapshot.flag("host", "connection.autoReconnectOnError"),
            math.inf
            if snapshot.flag("host", "load.all")
            else int(snapshot.setting("host", "load.parallelismDegree")),
            int(snapshot.setting("host", "ping.parallelismDegree")),
        )

    def _say(self, tx: Transaction, step: str, percent: int) -> None:
        for job in jobs.running(tx, self._uuid):
            jobs.progress(tx, job, step, percent)


def host_intent(snapshot: Snapshot, host: Host) -> host_plan.HostIntent:
    """What a host's cluster gives it; what is being attached just now is its own worker's to bring."""
    storages = snapshot.all(PrimaryStorageClusterRef, cluster_uuid=host.cluster_uuid, intended="Present")
    networks = snapshot.all(L2NetworkClusterRef, cluster_uuid=host.cluster_uuid, intended="Present")
    return host_plan.HostIntent(
        storages=tuple(
            EnsureStorage(storage_uuid=ref.primary_storage_uuid, root=found.url)
            for ref in storages
            if (found := snapshot.find(PrimaryStorage, ref.primary_storage_uuid))
        ),
        bridges=tuple(
            l2_spec(network)
            for ref in networks
            if not jobs.running(snapshot, ref.uuid)
            and (network := snapshot.find(L2Network, ref.l2_network_uuid))
        ),
    )


def put_capacity(tx: Transaction, storage_uuid: str, host_uuid: str, capacity: Capacity) -> None:
    """Write what a host has of a local primary storage, which is there with that."""
    storage = tx.find(PrimaryStorage, storage_uuid)
    if storage is None:
        return
    tx.update(storage, status="Connected")
    if storage.type != "LocalStorage":
        return
    ref = tx.first(LocalStorageHostRef, primary_storage_uuid=storage_uuid, host_uuid=host_uuid)
    if ref is None:
        ref = tx.insert(
            LocalStorageHostRef(uuid=tx.new_uuid(), primary_storage_uuid=storage_uuid, host_uuid=host_uuid)
        )
    tx.update(ref, total_capacity=capacity.total_bytes, available_physical_capacity=capacity.available_bytes)
    recount_storage(tx, storage_uuid)


def forget(tx: Transaction, host: Host) -> None:
    """Remove every row of a host, and end the jobs on it."""
    for ref in tx.all(LocalStorageHostRef, host_uuid=host.uuid):
        tx.delete(ref)
        recount_storage(tx, ref.primary_storage_uuid)
    for copy in tx.all(ImageCache, host_uuid=host.uuid):
        tx.delete(copy)
    found = tx.find(Host, host.uuid)
    if found is not None:
        tx.delete(found)
    forget_key(tx, host)
    for job in jobs.running(tx, host.uuid):
        jobs.succeed(tx, job, {})


def _record_page(tx: Transaction, host_uuid: str, fetches: list[UserdataFetch]) -> None:
    host = tx.find(Host, host_uuid)
    if host is not None:
        record_fetches(tx, host, fetches, page=True)


def _connected(tx: Transaction, host: Host, facts: HostFacts, probed: ProbedAccelerator, asked: int) -> Host:
    simulated = host.hypervisor_type == HYPERVISOR
    if host.status != "Connected":
        how = "it is simulated" if simulated else f"guests run by {probed.accelerator}"
        tx.note("HostConnected", f"{host.name}: connected; {how}", about=host)
    host = tx.update(
        host,
        status="Connected",
        status_reason=None,
        connected_id=asked,
        cpu_num=facts.cpu_num,
        cpu_model=facts.cpu_model,
        total_cpu_capacity=facts.cpu_num * facts.cpu_mhz,
        total_memory_capacity=facts.memory_bytes,
        accelerator=None if simulated else probed.accelerator,
        agent_version=facts.agent_version,
        boot_id=facts.boot_id,
    )
    put_host_tags(tx, host, facts)
    recount_host(tx, host.uuid)
    host = tx.get(Host, host.uuid)
    # Who asked for another connection meanwhile gets that one, and its end.
    for job in jobs.running(tx, host.uuid) if asked == host.connect_id else ():
        if job.name == "ChangeHostState":
            continue  # that ends with its VMs
        jobs.succeed(tx, job, {"inventory": tx.inventory(host)} if MESSAGES[job.name].returns else {})
    return host


def _forced(snapshot: Snapshot, host: Host) -> Accelerator | None:
    wanted = snapshot.setting("kvm", "accelerator")
    for tag in snapshot.all(SystemTag, resource_uuid=host.uuid):
        if tag.tag.startswith("accelerator::"):
            wanted = tag.tag.removeprefix("accelerator::")
    if wanted == "kvm":
        return "kvm"
    return "tcg" if wanted == "tcg" else None


def _backup_storages(snapshot: Snapshot) -> set[str]:
    """Those that may be on the same machine have folders of their own there."""
    return {storage.uuid for storage in snapshot.all(BackupStorage)}


def _refuse_others(snapshot: Snapshot, host_uuid: str, seen: HostSeen) -> None:
    """Leave a machine alone on which VMs of another host run: it is that one's, by another address."""
    running = [domain.vm_uuid for domain in seen.domains if domain.power == "on"]
    for vm in snapshot.all(VmInstance, uuid=running):
        if placed_on(snapshot, vm) not in {None, host_uuid}:
            raise OperationFailed(f"VM {vm.name}[uuid:{vm.uuid}] of another host runs on this machine")


def _bridge_names(snapshot: Snapshot, seen: HostSeen) -> dict[str, str]:
    networks = snapshot.all(L2Network, uuid=list(seen.bridges))
    return {network.uuid: bridge(network.physical_interface, network.vlan) for network in networks}
