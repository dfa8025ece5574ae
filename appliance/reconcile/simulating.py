"""Simulated hosts and the store: what such a host has when an appliance first connects it, and how it behaves."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field

from agent.protocol import Capacity, EnsureStorage, digest, serial_of
from appliance.api.host import Host
from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.move import VolumeMove
from appliance.api.setting import GlobalConfig
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.storage import BackupStorage
from appliance.api.tag import SystemTag
from appliance.api.vm import VmInstance
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup
from appliance.hosts.fleet import Target
from appliance.hosts.simulated_conduct import parse_delay, parse_fault_rate
from appliance.hosts.simulated_dialer import SimulatedDialer
from appliance.hosts.simulated_things import Things
from appliance.hosts.simulator import Domain, SimulatedHost
from appliance.reconcile.host import host_intent
from appliance.reconcile.observe import host_at, storage_at, vms_on
from appliance.reconcile.vm_rows import vm_intent, vm_rows
from appliance.reconcile.volume_rows import volumes_on
from appliance.store.change_feed import Change
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot

PARSED = {"delay": parse_delay, "faultRate": parse_fault_rate}
"""What settings and tags say of simulated hosts, each by verb."""


@dataclass(frozen=True)
class Conduct:
    """Seconds, and chance of failure, by verb."""

    delays: dict[str, float]
    faults: dict[str, float]


@dataclass
class _Furniture:
    """What the store knows of one simulated machine."""

    host: Host | None
    conduct: Conduct
    new: bool
    domains: dict[str, Domain] = field(default_factory=dict)
    things: Things = field(default_factory=Things)
    clock: int = 0


class Simulating:
    """Furnishes simulated hosts from the store, and keeps them behaving as settings and tags say."""

    def __init__(self, database: Database, dialer: SimulatedDialer) -> None:
        self._database = database
        self._hosts = dialer.hosts
        dialer.furnish = self._furnish

    async def run(self) -> None:
        """Follow the settings and tags that say how simulated hosts behave, for ever."""
        with contextlib.closing(self._database.feed.subscribe()) as subscription:
            await self._behave()
            async for batch in subscription:
                if not isinstance(batch, tuple) or any(map(_matters, batch)):
                    await self._behave()

    async def _furnish(self, host: SimulatedHost, target: Target, made: bool) -> None:
        found = await self._database.read(lambda snapshot: furniture(snapshot, target.key, made=made))
        _put(host, found.conduct)
        if found.host is not None:
            host.cpu_num, host.cpu_mhz = 1, found.host.cpu_capacity or 1
            host.memory_bytes = found.host.memory_capacity or 1
        if found.new:
            host.furnish(found.domains, found.things, found.clock)

    async def _behave(self) -> None:
        machines = list(self._hosts)

        def look(snapshot: Snapshot) -> dict[str, Conduct]:
            return {machine: conduct(snapshot, host_at(snapshot, machine)) for machine in machines}

        for machine, wanted in (await self._database.read(look)).items():
            if machine in self._hosts:
                _put(self._hosts[machine], wanted)


def furniture(snapshot: Snapshot, machine: str, *, made: bool) -> _Furniture:
    """What is on a simulated machine: what was last seen there, or nothing if it was never connected.

    `made` says that this appliance has only just made it; one that it has had before is as it left it.
    """
    host = host_at(snapshot, machine)
    storages = storage_at(snapshot, machine)
    new = made or not any(each.connected_id for each in (host, *storages) if each is not None)
    found = _Furniture(host, conduct(snapshot, host), new)
    if new and host is not None:
        _furnish_host(snapshot, host, found)
    for storage in storages if new else ():
        _furnish_storage(snapshot, storage, found.things)
    return found


def _furnish_host(snapshot: Snapshot, host: Host, found: _Furniture) -> None:
    intent = host_intent(snapshot, host)
    for request in intent.storages:
        found.things.ensure_storage(request)
    for bridge in intent.bridges:
        found.things.bridges[bridge.l2_uuid] = digest(bridge)
    for volume in volumes_on(snapshot, host):
        if volume.install_path is not None and volume.whole_size is not None:
            found.things.files[volume.install_path] = volume.whole_size
    for each in snapshot.all(Volume, host_uuid=host.uuid):
        _furnish_chain(snapshot, each, found.things)
    for move in snapshot.all(VolumeMove, host_uuid=host.uuid, phase="verified"):
        files = json.loads(move.files)
        found.things.lanes.arrived |= files
        found.things.lanes.sizes |= dict.fromkeys(files, move.size)
    for backup in snapshot.all(VolumeBackup, host_uuid=host.uuid, phase=["carrying", "clearing"]):
        found.things.files[backup.staged_path] = backup.size
    for vm in vms_on(snapshot, host.uuid):
        _furnish_vm(snapshot, host, vm, found)
        found.clock = max(found.clock, vm.seen_at)


def _furnish_chain(snapshot: Snapshot, volume: Volume, things: Things) -> None:
    """The files of a volume's snapshots, and what each builds on."""
    kept = {each.uuid: each for each in snapshot.all(VolumeSnapshot, volume_uuid=volume.uuid)}
    for each in kept.values():
        things.files[each.primary_storage_install_path] = volume.size
        parent = kept.get(each.parent_uuid or "")
        if parent is not None:
            things.backings[each.primary_storage_install_path] = parent.primary_storage_install_path
        if each.latest and volume.install_path is not None and not volume.overlay:
            things.backings[volume.install_path] = each.primary_storage_install_path


def _furnish_vm(snapshot: Snapshot, host: Host, vm: VmInstance, found: _Furniture) -> None:
    """A VM that has been whole has its files; one that ran, runs, with all that it needs for that."""
    rows = vm_rows(snapshot, vm, host)
    intent = vm_intent(rows)
    things, volume = found.things, intent.volume
    if volume is not None and (vm.created or vm.power == "on"):
        things.files[volume.path] = volume.size_bytes
        if volume.backing is not None:
            things.files[volume.backing] = volume.size_bytes
    if vm.power != "on":
        if vm.created and vm.intended in {"Running", "Stopped"}:
            found.domains[vm.uuid] = Domain("", vm.booted_count, {})
        return
    things.networks |= {network.l3_uuid: digest(network) for network in intent.networks}
    things.nics.update({nic.nic_uuid: (digest(nic), vm.uuid) for nic in intent.nics})
    spec = digest(intent.spec) if intent.spec is not None else ""
    nics = {nic.device: nic.nic_uuid for nic in intent.nics}
    disks = {serial_of(disk.volume_uuid) for disk in intent.spec.disks} if intent.spec is not None else set()
    found.domains[vm.uuid] = Domain(
        spec, vm.booted_count, nics, power="on", cause="booted", starts=1, disks=disks,
        cpu_num=vm.cpu_num, memory_bytes=vm.memory_size,
        console=intent.spec.console if intent.spec is not None else "vnc",
    )  # fmt: skip


def _furnish_storage(snapshot: Snapshot, storage: BackupStorage, things: Things) -> None:
    total, free = storage.total_capacity, storage.available_capacity
    things.capacities[storage.uuid] = Capacity(total_bytes=total, available_bytes=free)
    things.ensure_storage(EnsureStorage(storage_uuid=storage.uuid, root=storage.url))
    for ref in snapshot.all(ImageBackupStorageRef, backup_storage_uuid=storage.uuid):
        if not ref.whole:
            continue
        image = snapshot.find(Image, ref.image_uuid)
        things.files[ref.install_path] = image.size if image is not None else 0
    for backup in snapshot.all(VolumeBackup, backup_storage_uuid=storage.uuid, status="Ready"):
        things.files[backup.install_path] = backup.size


def conduct(snapshot: Snapshot, host: Host | None) -> Conduct:
    """How a simulated machine behaves: as its host's tags say of the verbs that they name, else as the settings do."""
    found = {name: parse(snapshot.setting("simulator", name)) for name, parse in PARSED.items()}
    for tag in snapshot.all(SystemTag, resource_uuid=host.uuid) if host is not None else ():
        word, _, rest = tag.tag.partition("::")
        name, _, text = rest.partition("::")
        if word == "simulator" and name in found:
            found[name] |= PARSED[name](text)
    return Conduct(found["delay"], found["faultRate"])


def _put(host: SimulatedHost, wanted: Conduct) -> None:
    host.delays.by_verb = wanted.delays
    host.faults.by_verb = wanted.faults


def _matters(change: Change) -> bool:
    """Whether a change may be one of how simulated hosts behave; what a deleted tag was is not known."""
    match change.after:
        case GlobalConfig(category="simulator") | SystemTag(resource_type="HostVO"):
            return True
    return change.kind is SystemTag and change.after is None
