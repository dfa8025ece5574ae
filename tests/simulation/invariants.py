"""What must be true of a simulated run: at every moment, and once everything has calmed down."""

from __future__ import annotations

import json
from collections import Counter

from agent.protocol import ObserveVm, VmSeen, serial_of
from appliance.api.host import Host
from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.job import LongJob
from appliance.api.l3 import L3Network, UsedIp
from appliance.api.move import VmMove, VolumeMove
from appliance.api.snapshot import VolumeSnapshot
from appliance.api.storage import BackupStorage, LocalStorageHostRef
from appliance.api.tag import SystemTag
from appliance.api.template import VolumeReading
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.api.volume_backup import VolumeBackup, VolumeRestore
from appliance.plans import naming
from appliance.plans.vm import plan
from appliance.reconcile.capacity import reserved
from appliance.reconcile.vm_rows import vm_intent, vm_rows
from appliance.reconcile.vm_state import placed_on
from appliance.store.snapshot import Snapshot
from tests.simulation.building import Cloud
from tests.simulation.host import STRANGE_FILE, STRANGER, WatchedHost, known_hosts
from tests.simulation.world import World


def always(world: World) -> None:
    """What holds at every moment, whatever goes wrong."""
    running = Counter(uuid for host in world.hosts.values() for uuid in host.running())
    for uuid, number in running.items():
        if number > 1:
            world.violated("I-1", f"VM {uuid} runs {number} times")
    for host in known_hosts(world.hosts):
        host.check_order()
    _addresses(world, world.look())


async def when_calm(world: World, cloud: Cloud) -> None:
    """What holds once nothing goes wrong any more and everything had its time."""
    always(world)
    life = world.life
    if life is None or not life.ready:
        world.violated("alive", "no appliance runs in calm")
        return
    look = world.look()
    _connected(world, look)
    _jobs(world, look)
    _vms(world, look)
    _data_volumes(world, look)
    _chains(world, look)
    for host in known_hosts(world.hosts):
        _nothing_else(world, look, host)
    _capacity(world, look)
    _promises(world, look, cloud)
    _moves(world, look)
    _backups(world, look)
    for finding in await life.database.verify():
        world.violated("I-28", finding)


def _moves(world: World, look: Snapshot) -> None:
    """Nothing is on its way any more, and nobody has a key."""
    for kind in (VmMove, VolumeMove):
        for move in look.all(kind):
            world.violated("I-7", f"{move.name} is still {move.phase}, meant to be {move.intended}")
    for volume in look.all(Volume, status="Migrating"):
        world.violated("I-7", f"volume {volume.uuid} is Migrating, and nothing moves it")
    for vm in look.all(VmInstance):
        if vm.moving:
            world.violated("I-7", f"VM {vm.uuid} is moving, and nothing moves it")
        if vm.being_read:
            world.violated("I-7", f"VM {vm.uuid} is being read, and nothing reads it")
    for reading in look.all(VolumeReading):
        world.violated("I-7", f"volume {reading.volume_uuid} is still being {reading.phase}")
    for host in known_hosts(world.hosts):
        lanes = host.things.lanes
        if lanes.opened or lanes.offered or lanes.arrived:
            world.violated("I-7", f"{host.address} has a lane, or what came on one: {lanes}")


def _backups(world: World, look: Snapshot) -> None:
    """Each backup is where it belongs, with what it adds to, and nothing is being made of any."""
    for backup in look.all(VolumeBackup):
        if (backup.status, backup.phase, backup.intended) != ("Ready", "done", "Present"):
            world.violated(
                "I-7", f"backup {backup.uuid} is {backup.status}, {backup.phase}, {backup.intended}"
            )
        if backup.parent_uuid is not None and look.find(VolumeBackup, backup.parent_uuid) is None:
            world.violated("I-7", f"backup {backup.uuid} adds to {backup.parent_uuid}, which is gone")
        storage = look.get(BackupStorage, backup.backup_storage_uuid)
        if backup.install_path not in world.hosts[storage.hostname].things.files:
            world.violated("I-7", f"backup {backup.uuid} is not on its storage")
    for restore in look.all(VolumeRestore):
        world.violated("I-7", f"something is still being made of backup {restore.backup_uuid}")


def _addresses(world: World, look: Snapshot) -> None:
    """No address or MAC twice; each NIC's address is taken for it, and each taken one is of a NIC."""
    nics = look.all(VmNic)
    used = look.all(UsedIp)
    for what, found in (("address", [n.ip for n in nics if n.ip]), ("MAC", [n.mac for n in nics]),
                        ("taken address", [u.ip for u in used])):  # fmt: skip
        for value, number in Counter(found).items():
            if number > 1:
                world.violated("I-10", f"{what} {value} is there {number} times")
    holders = {u.used_for: u.ip for u in used if u.used_for != "DHCP"}
    if holders != {n.uuid: n.ip for n in nics if n.ip}:
        world.violated("I-10", f"taken addresses {holders} are not those of the NICs")


def _connected(world: World, look: Snapshot) -> None:
    machines: list[Host | BackupStorage] = [*look.all(Host), *look.all(BackupStorage)]
    for machine in machines:
        if machine.status != "Connected":
            world.violated("connected", f"{machine.name} is {machine.status}: {machine.status_reason}")


def _jobs(world: World, look: Snapshot) -> None:
    for job in look.all(LongJob, state="Running"):
        world.violated(
            "I-25", f"{job.name} of {job.target_resource_uuid} runs on: {job.step}, {job.waits_for}"
        )


def _vms(world: World, look: Snapshot) -> None:
    """Rows say what is: state, power, place, disk, NICs; and nothing is left to do."""
    for vm in look.all(VmInstance):
        host_row = look.find(Host, placed_on(look, vm) or "")
        if host_row is None:
            world.violated("I-2", f"VM {vm.uuid} is on no host")
            continue
        host = world.hosts[host_row.management_ip]
        domain = host.domains.get(vm.uuid)
        on = domain is not None and domain.power == "on"
        wanted = {"Running": "Running", "Stopped": "Stopped", "Destroyed": "Destroyed"}.get(vm.intended)
        if vm.state != wanted or (vm.power == "on") != on or on != (vm.state == "Running"):
            world.violated(
                "I-2",
                f"VM {vm.uuid} is {vm.state}, meant to be {vm.intended}, seen {vm.power}; it runs: {on}",
            )
        intent = vm_intent(vm_rows(look, vm, host_row))
        paths = [intent.volume.path] if intent.volume else []
        paths += [*(path for data in intent.data for path in data.files), *intent.dropped]
        paths += intent.root.files if intent.root else ()
        left = plan(intent, _seen(host, vm.uuid, paths), look.now)
        if left:
            world.violated("I-2", f"of VM {vm.uuid} is left to do: {', '.join(step.title for step in left)}")
        root = look.find(Volume, vm.root_volume_uuid or "")
        if root is None or _content(look, root) not in host.things.files or root.status == "Creating":
            world.violated("I-3", f"VM {vm.uuid} has no whole root volume: {root}")

        _disks(world, look, vm, host)


def _content(look: Snapshot, root: Volume) -> str | None:
    """The file that a root volume's content is in. What a destroyed VM had just begun waits until it is recovered."""
    if root.status == "Deleted" and root.overlay:
        latest = look.first(VolumeSnapshot, volume_uuid=root.uuid, latest=True)
        return latest.primary_storage_install_path if latest is not None else None
    return root.install_path


def _disks(world: World, look: Snapshot, vm: VmInstance, host: WatchedHost) -> None:
    """A VM that runs has its data volumes and no others."""
    volumes = look.all(Volume, vm_instance_uuid=vm.uuid)
    if vm.state == "Running":
        has, wanted = host.domains[vm.uuid].disks, {serial_of(volume.uuid) for volume in volumes}
        if has != wanted:
            world.violated("I-2", f"VM {vm.uuid} has disks {sorted(has)}, and should have {sorted(wanted)}")
    if vm.state == "Destroyed" and len(volumes) > 1:
        world.violated("I-2", f"VM {vm.uuid} is destroyed and has data volumes")


def _data_volumes(world: World, look: Snapshot) -> None:
    """Each is whole where it says, or nowhere, and nothing is left to do for it."""
    for volume in look.all(Volume, type="Data"):
        host = look.find(Host, volume.host_uuid or "")
        files = world.hosts[host.management_ip].things.files if host is not None else {}
        settled = {"Ready": "Present", "NotInstantiated": "Present", "Deleted": "Deleted"}.get(volume.status)
        if volume.intended != settled or volume.attachment not in {"none", "attached"}:
            world.violated("I-3", f"data volume {volume.uuid} is {volume.status}, {volume.attachment}, and meant "
                           f"to be {volume.intended}")  # fmt: skip
        if (volume.attachment == "attached") != (volume.vm_instance_uuid is not None):
            world.violated(
                "I-3", f"data volume {volume.uuid} is {volume.attachment} to {volume.vm_instance_uuid}"
            )
        there = files.get(volume.install_path) if volume.install_path is not None else None
        if there != volume.whole_size or there not in (None, volume.size):
            world.violated("I-3", f"data volume {volume.uuid} of {volume.size} bytes has a file of {there}")


def _chains(world: World, look: Snapshot) -> None:
    """What builds on what on the hosts is what the rows say, and a running domain writes to the last file."""
    for volume in look.all(Volume):
        host_row = look.find(Host, volume.host_uuid or "")
        if host_row is None or volume.status == "Deleted":
            continue
        host, kept = world.hosts[host_row.management_ip], look.all(VolumeSnapshot, volume_uuid=volume.uuid)
        paths = {each.uuid: each.primary_storage_install_path for each in kept}
        top = next((each for each in kept if each.latest), None)
        if (
            volume.chain_changes
            or any(each.status != "Ready" for each in kept)
            or (top is None) == bool(kept)
        ):
            world.violated("I-6", f"volume {volume.uuid} is between snapshots: {kept}")
        pairs = [(volume.install_path, paths.get(top.uuid) if top else None)]
        pairs += [(paths[each.uuid], paths.get(each.parent_uuid or "")) for each in kept]
        for path, wanted in pairs:
            there = host.things.backings.get(path or "")
            if wanted is not None and there != wanted:
                world.violated("I-6", f"{path} builds on {there}, not on {wanted}")
            if wanted is None and there is not None and "imagecache" not in there:
                world.violated("I-6", f"{path} builds on {there}, and on no snapshot")
        domain = host.domains.get(volume.vm_instance_uuid or "")
        if domain is not None and domain.power == "on":
            writes = domain.writes.get(serial_of(volume.uuid))
            if writes != volume.install_path:
                world.violated("I-6", f"volume {volume.uuid} is {volume.install_path}, written is {writes}")


def _seen(host: WatchedHost, uuid: str, paths: list[str]) -> VmSeen:
    return host._vm(ObserveVm(vm_uuid=uuid, volume_paths=paths, cache_paths=[]))


def _nothing_else(world: World, look: Snapshot, host: WatchedHost) -> None:
    """A host has the domains, files, NICs and networks that rows account for, and what was there before."""
    row = look.first(Host, management_ip=host.address)
    assert row is not None
    mine = [vm for vm in look.all(VmInstance) if placed_on(look, vm) == row.uuid]
    kept = {vm.uuid for vm in mine if vm.intended != "Destroyed"}
    things = host.things
    volumes = {volume.install_path for volume in look.all(Volume, host_uuid=row.uuid)}
    volumes |= {each.primary_storage_install_path for each in look.all(VolumeSnapshot, host_uuid=row.uuid)}
    cached = {naming.cached_image("/zstack_ps", image.uuid, image.format) for image in look.all(Image)}
    stored = {ref.install_path for ref in look.all(ImageBackupStorageRef)}
    stored |= {backup.install_path for backup in look.all(VolumeBackup)}
    nics = {nic.uuid for nic in look.all(VmNic) if nic.vm_instance_uuid in kept}
    foreign = {
        "domain": set(host.domains) - kept - {STRANGER},
        "file": set(things.files) - volumes - cached - stored - {STRANGE_FILE},
        "NIC entry": set(things.nics) - nics,
        "network": set(things.networks) - {l3.uuid for l3 in look.all(L3Network)},
    }
    for what, found in foreign.items():
        for name in sorted(str(each) for each in found):
            world.violated("orphan", f"{host.address} has a {what} that nothing accounts for: {name}")
    for own, there in ((STRANGER, host.domains), (STRANGE_FILE, things.files)):
        if own not in there:
            world.violated("I-19", f"{host.address} lost {own}, which is not ours")


def _capacity(world: World, look: Snapshot) -> None:
    for host in look.all(Host):
        vms = look.all(VmInstance, host_uuid=host.uuid)
        kept = {what: reserved(look, host, what) for what in ("reservedMemory", "reservedCpu")}
        used = sum(max(v.memory_size, v.pending_memory_size or 0) for v in vms)
        memory = host.total_memory_capacity - kept["reservedMemory"] - used
        cpu = host.total_cpu_capacity - kept["reservedCpu"] - sum(v.cpu_num * v.cpu_speed for v in vms)
        if (host.available_memory_capacity, host.available_cpu_capacity) != (memory, cpu):
            world.violated("I-9", f"host {host.name} says {host.available_memory_capacity} bytes and "
                           f"{host.available_cpu_capacity} MHz are left, its VMs leave {memory} and {cpu}")  # fmt: skip
    for ref in look.all(LocalStorageHostRef):
        used = look.total(
            Volume, "size", primary_storage_uuid=ref.primary_storage_uuid, host_uuid=ref.host_uuid
        ) - look.total(
            Volume, "size", primary_storage_uuid=ref.primary_storage_uuid, host_uuid=ref.host_uuid,
            type="Data", status="Deleted",
        )  # fmt: skip
        used += look.total(
            VolumeSnapshot, "size", primary_storage_uuid=ref.primary_storage_uuid, host_uuid=ref.host_uuid
        )
        if ref.available_capacity != ref.total_capacity - used:
            world.violated("I-9", f"storage on {ref.host_uuid} says {ref.available_capacity} of "
                           f"{ref.total_capacity} are left; volumes take {used}")  # fmt: skip


def _promises(world: World, look: Snapshot, cloud: Cloud) -> None:
    """What callers were told is so."""
    for uuid, told in cloud.vms.items():
        vm = look.find(VmInstance, uuid)
        if told.created and not told.may_go and vm is None:
            world.violated("I-21", f"VM {uuid} was created, nobody destroyed it, and it is gone")
        if (told.gone or told.create_failed) and vm is not None:
            world.violated("I-21", f"VM {uuid} is there; it was told that it is not: {told}")
        for tag_uuid, text in told.userdata.items():
            tag = look.find(SystemTag, tag_uuid)
            if vm is not None and (tag is None or tag.tag != text):
                world.violated("I-21", f"user data {tag_uuid} of {uuid} was told to be {text!r}, is {tag}")
    for call_id, (name, _, _) in cloud.answers.items():
        job = look.find(LongJob, call_id)
        if job is None or job.state != "Succeeded" or json.loads(job.job_result or "null") is None:
            world.violated("I-21", f"{name} {call_id} was told to have succeeded; its job says {job}")


__all__ = ["always", "when_calm"]
