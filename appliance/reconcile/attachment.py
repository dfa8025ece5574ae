"""The workers of what is attached to a cluster: an L2 network or a primary storage, on each of its hosts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from agent.protocol import AnyRequest, Capacity, DropBridge, DropStorage, EnsureStorage
from appliance.api.cluster import Cluster
from appliance.api.errors import ApiError, HostUnreachable, NetworkFailed, PrimaryStorageFailed
from appliance.api.host import Host
from appliance.api.l2 import L2Network, L2NetworkClusterRef
from appliance.api.storage import LocalStorageHostRef, PrimaryStorage, PrimaryStorageClusterRef
from appliance.plans.naming import bridge
from appliance.plans.vm_spec import l2_spec
from appliance.reconcile import jobs
from appliance.reconcile.asking import Asker, Tries
from appliance.reconcile.capacity import recount_storage
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.host import put_capacity
from appliance.reconcile.inherent_tags import set_inherent_tag
from appliance.reconcile.loop import AGAIN, DONE, Next
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

Ref = L2NetworkClusterRef | PrimaryStorageClusterRef


@dataclass(frozen=True)
class _Work:
    ref: Ref
    hosts: tuple[Host, ...]
    ensure: AnyRequest
    drop: AnyRequest


class AttachmentWorker:
    """Puts one attachment on every connected host of its cluster, or takes it from them.

    Hosts that are away get it when they connect: a host's own worker sees to that.
    """

    def __init__(self, context: Context, kind: type[Ref], uuid: str) -> None:
        self._context = context
        self._kind = kind
        self._uuid = uuid
        self._asker = Asker(context.fleet, context.database.new_uuid)
        self._tries = Tries()

    async def advance(self) -> Next:
        """One pass over the cluster's hosts."""
        work = await self._context.database.read(self._load)
        if work is None:
            return DONE
        return await self._tries.attempt(
            self._pass(work), failed=partial(self._failed, work), away=self._wait
        )

    async def _wait(self, _: HostUnreachable) -> Next:
        return self._tries.pause()

    async def _pass(self, work: _Work) -> Next:
        for host in work.hosts:
            await self._apply(work, host)
        return DONE if await self._context.database.write(partial(self._settle, work)) else AGAIN

    async def _apply(self, work: _Work, host: Host) -> None:
        target = target_of(host)
        request = work.ensure if work.ref.intended == "Present" else work.drop
        reply = await self._asker.ask(target, request, resource="", generation=0)
        if isinstance(reply, Capacity) and isinstance(request, EnsureStorage):
            storage_uuid = request.storage_uuid
            await self._context.database.write(lambda tx: put_capacity(tx, storage_uuid, host.uuid, reply))

    async def _failed(self, work: _Work, error: ApiError) -> Next:
        """An attachment that a host refuses is taken back from those that have it."""
        if work.ref.intended == "Absent":
            return self._tries.pause()
        wrapper = NetworkFailed if isinstance(work.ref, L2NetworkClusterRef) else PrimaryStorageFailed

        def write(tx: Transaction) -> bool:
            ref = tx.find(self._kind, self._uuid)
            found = jobs.running(tx, self._uuid)
            if ref is None or not found:
                return False
            for job in found:
                jobs.doom(tx, job, wrapper(cause=error))
            tx.update(ref, intended="Absent")
            return True

        turned = await self._context.database.write(write)
        return AGAIN if turned else self._tries.after(f"attachment {self._uuid}", error)

    def _load(self, snapshot: Snapshot) -> _Work | None:
        ref = snapshot.find(self._kind, self._uuid)
        if ref is None:
            return None
        hosts = tuple(snapshot.all(Host, cluster_uuid=ref.cluster_uuid, status="Connected"))
        ensure, drop = _requests(snapshot, ref)
        return _Work(ref, hosts, ensure, drop)

    def _settle(self, work: _Work, tx: Transaction) -> bool:
        """Write that what was intended holds; False when something else is intended meanwhile."""
        ref = tx.find(self._kind, self._uuid)
        if ref is None:
            return True
        if ref.intended != work.ref.intended:
            return False
        shown = _shown(tx, ref)
        if isinstance(shown, L2Network) and ref.intended == "Present":
            _name_bridge(tx, shown, ref.cluster_uuid)
        if ref.intended == "Absent":
            for host_ref in _host_refs(tx, ref):
                tx.delete(host_ref)
            tx.delete(ref)
            if isinstance(ref, PrimaryStorageClusterRef):
                recount_storage(tx, ref.primary_storage_uuid)
        for job in jobs.running(tx, self._uuid):
            jobs.succeed(tx, job, {"inventory": tx.inventory(shown)})
        return True


def _name_bridge(tx: Transaction, network: L2Network, cluster_uuid: str) -> None:
    """Say on an L2 network what its bridge is called, once KVM hosts have one."""
    if tx.get(Cluster, cluster_uuid).hypervisor_type == "KVM":
        name = bridge(network.physical_interface, network.vlan)
        set_inherent_tag(tx, network, "kvm::bridge::", name)


def _requests(snapshot: Snapshot, ref: Ref) -> tuple[AnyRequest, AnyRequest]:
    if isinstance(ref, L2NetworkClusterRef):
        l2 = snapshot.get(L2Network, ref.l2_network_uuid)
        return l2_spec(l2), DropBridge(l2_uuid=l2.uuid, bridge=bridge(l2.physical_interface, l2.vlan))
    storage = snapshot.get(PrimaryStorage, ref.primary_storage_uuid)
    return (
        EnsureStorage(storage_uuid=storage.uuid, root=storage.url),
        DropStorage(storage_uuid=storage.uuid),
    )


def _shown(snapshot: Snapshot, ref: Ref) -> L2Network | PrimaryStorage:
    if isinstance(ref, L2NetworkClusterRef):
        return snapshot.get(L2Network, ref.l2_network_uuid)
    return snapshot.get(PrimaryStorage, ref.primary_storage_uuid)


def _host_refs(snapshot: Snapshot, ref: Ref) -> Iterator[LocalStorageHostRef]:
    if isinstance(ref, L2NetworkClusterRef):
        return
    hosts = {host.uuid for host in snapshot.all(Host, cluster_uuid=ref.cluster_uuid)}
    for found in snapshot.all(LocalStorageHostRef, primary_storage_uuid=ref.primary_storage_uuid):
        if found.host_uuid in hosts:
            yield found
