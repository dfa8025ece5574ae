"""What hosts say unasked, and their full scans, into the store: through the same functions as replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent.protocol import (
    AnyEvent,
    DomainChanged,
    DomainSeen,
    HostSeen,
    HypervisorBack,
    HypervisorLost,
    UserdataFetch,
    UserdataFetched,
)
from appliance.api.event import Event
from appliance.api.event import UserdataFetch as FetchRow
from appliance.api.host import Host
from appliance.api.move import VmMove
from appliance.api.resource import Timestamp
from appliance.api.storage import BackupStorage, LocalStorageHostRef, PrimaryStorage
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.reconcile.capacity import recount_storage
from appliance.reconcile.host_tags import put_libvirt_tag
from appliance.reconcile.vm_move_rows import move_of
from appliance.reconcile.vm_state import change_vm, placed_on, record_sight
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def vms_on(snapshot: Snapshot, host_uuid: str) -> list[VmInstance]:
    """The VMs placed on a host, running or not."""
    uuids = [volume.vm_instance_uuid for volume in snapshot.all(Volume, host_uuid=host_uuid, type="Root")]
    return snapshot.all(VmInstance, uuid=[uuid for uuid in uuids if uuid])


def host_at(snapshot: Snapshot, machine: str) -> Host | None:
    """The host of an `address:port`."""
    address, _, port = machine.rpartition(":")
    return snapshot.first(Host, management_ip=address, ssh_port=int(port))


def storage_at(snapshot: Snapshot, machine: str) -> list[BackupStorage]:
    """The backup storages of an `address:port`."""
    address, _, port = machine.rpartition(":")
    return snapshot.all(BackupStorage, hostname=address, ssh_port=int(port))


Woken = Sequence[tuple[str, str]]
"""Whose workers are to look again, by kind and uuid, once what was seen of them is written."""


def take_event(machine: str, event: AnyEvent) -> Callable[[Transaction], Woken]:
    """The transaction that an event from a machine asks for."""

    def write(tx: Transaction) -> Woken:
        host = host_at(tx, machine)
        if host is None:
            return ()
        match event:
            case DomainChanged(seen=seen):
                return _domain_changed(tx, host, seen)
            case UserdataFetched(fetch=fetch):
                record_fetches(tx, host, [fetch])
            case HypervisorLost(reason=reason):
                tx.note(
                    "HypervisorLost", f"{host.name}: libvirt is gone: {reason}", level="error", about=host
                )
            case HypervisorBack(seen=seen, libvirt_version=libvirt):
                woken = take_scan(tx, host, seen)
                put_libvirt_tag(tx, host, libvirt)
                if _was_away(tx, host):
                    tx.note("HypervisorBack", f"{host.name}: libvirt is back", about=host)
                return woken
        return ()

    return write


def _was_away(snapshot: Snapshot, host: Host) -> bool:
    """Whether a host's libvirt was said to be gone, and not yet to be back: a first connection is no return."""
    told = ["HypervisorLost", "HypervisorBack"]
    last = snapshot.all(Event, order_by="-sequence", limit=1, resource_uuid=host.uuid, name=told)
    return bool(last) and last[0].name == "HypervisorLost"


def take_scan(tx: Transaction, host: Host, seen: HostSeen, *, fresh: bool = False) -> Woken:
    """Take everything on a host. A VM that is placed there and not seen is off."""
    woken: list[tuple[str, str]] = []
    domains = {domain.vm_uuid: domain for domain in seen.domains}
    for vm in vms_on(tx, host.uuid):
        domain = domains.pop(vm.uuid, None) or DomainSeen(vm_uuid=vm.uuid, at=seen.at)
        leaving = _on_its_way(tx, vm)
        if leaving is not None:
            woken.append(("VmMove", leaving.uuid))
            if vm.state == "Unknown":
                change_vm(tx, vm)  # its host is back, which is all that its state waited for
            continue
        after = record_sight(tx, vm, domain, fresh=fresh)
        if after.power != vm.power or _unserved(tx, after, seen) or after.state not in {"Running", "Stopped"}:
            woken.append(("VmInstance", vm.uuid))
    _take_capacity(tx, host, seen)
    for stranger in domains.values():
        _stranger(tx, host, stranger)
    return woken


def lose_machine(tx: Transaction, machine: str, reason: str) -> None:
    """A link ended: what runs there is unknown until it is back."""
    host = host_at(tx, machine)
    if host is not None and host.intended == "Present":
        mark_disconnected(tx, host, reason)
    for storage in storage_at(tx, machine):
        tx.update(storage, status="Disconnected", status_reason=reason)


def mark_disconnected(tx: Transaction, host: Host, reason: str) -> Host:
    """Write that a host cannot be reached, and that its VMs' states are not known."""
    if host.status != "Disconnected":
        tx.note("HostDisconnected", f"{host.name}: {reason}", level="error", about=host)
    host = tx.update(host, status="Disconnected", status_reason=reason)
    for vm in vms_on(tx, host.uuid):
        change_vm(tx, vm)
    return host


def record_fetches(tx: Transaction, host: Host, fetches: list[UserdataFetch], *, page: bool = False) -> None:
    """Keep what guests asked the metadata server, each once.

    A `page` holds all that the host has after the last one known to be complete; what is told unasked may
    come before earlier ones are read, and then says nothing about those.
    """
    latest = host.fetch_sequence
    for fetch in fetches:
        if page or fetch.sequence == latest + 1:
            latest = max(latest, fetch.sequence)
        if tx.exists(FetchRow, host_uuid=host.uuid, sequence=fetch.sequence):
            continue
        tx.insert(
            FetchRow(
                uuid=tx.new_uuid(),
                host_uuid=host.uuid,
                sequence=fetch.sequence,
                vm_instance_uuid=fetch.vm_uuid,
                vm_nic_uuid=fetch.nic_uuid,
                create_date=Timestamp(fetch.at),
                path=fetch.path,
                http_status=fetch.status,
                user_agent=fetch.user_agent,
            )
        )
    tx.update(host, fetch_sequence=latest)


def _domain_changed(tx: Transaction, host: Host, seen: DomainSeen) -> Woken:
    vm = tx.find(VmInstance, seen.vm_uuid)
    if vm is None or placed_on(tx, vm) != host.uuid:
        _stranger(tx, host, seen)
        return ()
    leaving = _on_its_way(tx, vm)
    if leaving is not None:
        return [("VmMove", leaving.uuid)]
    record_sight(tx, vm, seen)
    return [("VmInstance", vm.uuid)]


def _on_its_way(tx: Transaction, vm: VmInstance) -> VmMove | None:
    """The move of a VM of which one host alone cannot say what it is: it may be leaving this one for another."""
    leaving = move_of(tx, vm)
    return leaving if leaving is not None and leaving.phase == "moving" else None


def _unserved(tx: Transaction, vm: VmInstance, seen: HostSeen) -> bool:
    """Whether a running VM has a NIC that its host no longer serves."""
    if vm.power != "on":
        return False
    return any(nic.ip and nic.uuid not in seen.nics for nic in tx.all(VmNic, vm_instance_uuid=vm.uuid))


def _stranger(tx: Transaction, host: Host, seen: DomainSeen) -> None:
    """A domain that no VM here accounts for is told once and never touched."""
    vm = tx.find(VmInstance, seen.vm_uuid)
    leaving = move_of(tx, vm) if vm is not None else None
    if leaving is not None and host.uuid in {leaving.host_uuid, leaving.source_host_uuid}:
        return
    about = f"{host.name}: domain {seen.vm_uuid} is not one of ours"
    known = tx.exists(Event, name="StrangerVmFound", resource_uuid=host.uuid, text=about)
    if seen.power == "on" and not known:
        tx.note("StrangerVmFound", about, level="warning", about=host)


def _take_capacity(tx: Transaction, host: Host, seen: HostSeen) -> None:
    for storage_uuid, capacity in seen.storage.items():
        storage = tx.find(PrimaryStorage, storage_uuid)
        if storage is not None:
            tx.update(storage, status="Connected")
        ref = tx.first(LocalStorageHostRef, primary_storage_uuid=storage_uuid, host_uuid=host.uuid)
        if ref is None:
            continue
        tx.update(
            ref,
            total_capacity=capacity.total_bytes,
            available_physical_capacity=capacity.available_bytes,
        )
        recount_storage(tx, storage_uuid)
