"""What must hold when everything is calm again: the store against the truth of every host.

The names are those of the reliability notes' list; what must hold all the time is checked where it
happens, on the hosts and by the users.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from agent.protocol import digest
from appliance.api.host import Host
from appliance.api.job import LongJob
from appliance.api.l3 import IpRange, UsedIp
from appliance.api.storage import BackupStorage, LocalStorageHostRef
from appliance.api.tag import SystemTag
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.reconcile.capacity import reserved_memory
from appliance.reconcile.jobs import TERMINAL
from appliance.reconcile.vm_rows import vm_intent, vm_rows
from appliance.store.snapshot import Snapshot
from tests.simulation.host import STRANGE_FILE, STRANGER, WatchedHost
from tests.simulation.workload import Cloud

if TYPE_CHECKING:
    from tests.simulation.world import World

RESTING = ("Running", "Stopped", "Destroyed")
DISKS = "/zstack_ps/rootVolumes/"

Finding = tuple[str, str]


def unsettled(snapshot: Snapshot, world: World) -> str:
    """What is still going on, in words; empty when everything has come to rest."""
    for job in snapshot.all(LongJob):
        if job.state not in TERMINAL:
            return f"job {job.uuid} {job.name} is {job.state}: {job.step} {job.waits_for}"
    for kind in (Host, BackupStorage):
        for each in snapshot.all(kind):
            if each.status != "Connected":
                return f"{each.name} is {each.status}"
    for vm in snapshot.all(VmInstance):
        if vm.state not in RESTING:
            return f"VM {vm.uuid} is {vm.state}, intended {vm.intended}"
    busy = [host.address for host in world.hosts.values() if not host.settled()]
    return f"{busy} are busy" if busy else ""


def findings(snapshot: Snapshot, world: World, cloud: Cloud) -> Iterator[Finding]:
    """Everything that is wrong."""
    hosts = {host.uuid: world.hosts[host.management_ip] for host in snapshot.all(Host)}
    yield from _domains(snapshot, hosts)
    yield from _disks(snapshot, hosts)
    yield from _capacity(snapshot)
    yield from _addresses(snapshot)
    yield from _nics(snapshot, hosts)
    yield from _strangers(world)
    yield from _promises(snapshot, cloud)


def _domains(snapshot: Snapshot, hosts: dict[str, WatchedHost]) -> Iterator[Finding]:
    running = Counter(uuid for host in hosts.values() for uuid in host.running())
    for uuid, times in running.items():
        if times > 1:
            yield "I-1", f"VM {uuid} runs {times} times"
    for host_uuid, host in hosts.items():
        for uuid, domain in host.domains.items():
            vm = snapshot.find(VmInstance, uuid)
            if uuid == STRANGER:
                continue
            if vm is None:
                yield "I-2", f"{host.address} has a domain {uuid} that no row knows"
            elif domain.power == "on" and (vm.state, vm.host_uuid) != ("Running", host_uuid):
                yield "I-2", f"VM {uuid} runs on {host.address}; its row says {vm.state} on {vm.host_uuid}"
    for vm in snapshot.all(VmInstance, state="Running"):
        if vm.uuid not in hosts[vm.host_uuid or ""].running():
            yield "I-2", f"VM {vm.uuid} is said to run on {vm.host_uuid} and does not"


def _disks(snapshot: Snapshot, hosts: dict[str, WatchedHost]) -> Iterator[Finding]:
    volumes = snapshot.all(Volume)
    for volume in volumes:
        host = hosts.get(volume.host_uuid or "")
        if host is None or volume.install_path not in host.things.files:
            yield "I-3", f"volume {volume.uuid} ({volume.status}) has no file on {volume.host_uuid}"
    known = {(volume.host_uuid, volume.install_path) for volume in volumes}
    for host_uuid, host in hosts.items():
        for path in host.things.files:
            if path.startswith(DISKS) and path != STRANGE_FILE and (host_uuid, path) not in known:
                yield "I-4", f"{host.address} has {path} that no row knows"


def _capacity(snapshot: Snapshot) -> Iterator[Finding]:
    for host in snapshot.all(Host):
        used = sum(vm.memory_size for vm in snapshot.all(VmInstance, host_uuid=host.uuid))
        left = host.total_memory_capacity - reserved_memory(snapshot, host.uuid) - used
        if host.available_memory_capacity != left:
            yield (
                "I-9",
                f"{host.name} is said to have {host.available_memory_capacity} bytes left, it has {left}",
            )
    for ref in snapshot.all(LocalStorageHostRef):
        disks = sum(volume.size for volume in snapshot.all(Volume, host_uuid=ref.host_uuid))
        if ref.available_capacity != ref.total_capacity - disks:
            yield "I-9", f"storage of {ref.host_uuid} is said to have {ref.available_capacity} bytes left"


def _addresses(snapshot: Snapshot) -> Iterator[Finding]:
    nics = {nic.uuid: nic for nic in snapshot.all(VmNic)}
    taken = [used for used in snapshot.all(UsedIp) if used.used_for != "DHCP"]
    for used in taken:
        if used.used_for not in nics:
            yield "I-10", f"address {used.ip} is taken by a NIC that is not there"
        elif nics[used.used_for].ip != used.ip:
            yield "I-10", f"address {used.ip} is taken by a NIC that has {nics[used.used_for].ip}"
    for ip, times in Counter((nic.l3_network_uuid, nic.ip) for nic in nics.values() if nic.ip).items():
        if times > 1:
            yield "I-10", f"{times} NICs have the address {ip}"
    if len(taken) != sum(1 for nic in nics.values() if nic.ip):
        yield "I-10", "not every address of a NIC is written down as taken"
    if not snapshot.all(IpRange):
        yield "I-10", "the range is gone"
    for nic in nics.values():
        if snapshot.find(VmInstance, nic.vm_instance_uuid) is None:
            yield "I-11", f"NIC {nic.uuid} belongs to no VM"


def _nics(snapshot: Snapshot, hosts: dict[str, WatchedHost]) -> Iterator[Finding]:
    for host_uuid, host in hosts.items():
        for nic_uuid in host.things.nics:
            nic = snapshot.find(VmNic, nic_uuid)
            vm = snapshot.find(VmInstance, nic.vm_instance_uuid) if nic else None
            if vm is None or host_uuid not in (vm.host_uuid, vm.last_host_uuid):
                yield "I-12", f"{host.address} serves NIC {nic_uuid}, whose VM is not there"
    for vm in snapshot.all(VmInstance, state="Running"):
        row = snapshot.get(Host, vm.host_uuid or "")
        for spec in vm_intent(vm_rows(snapshot, vm, row)).nics:
            served = hosts[row.uuid].things.nics.get(spec.nic_uuid)
            if served is None or served[0] != digest(spec):
                yield "I-13", f"NIC {spec.nic_uuid} of VM {vm.uuid} is not served what its tags say"
    for tag in snapshot.all(SystemTag, resource_type="VmInstanceVO"):
        if snapshot.find(VmInstance, tag.resource_uuid) is None:
            yield "I-15", f"tag {tag.tag[:40]} outlived its VM {tag.resource_uuid}"


def _strangers(world: World) -> Iterator[Finding]:
    for host in world.hosts.values():
        if STRANGE_FILE not in host.things.files or host.domains[STRANGER].power != "on":
            yield "I-20", f"{host.address} lost what is not ours"


def _promises(snapshot: Snapshot, cloud: Cloud) -> Iterator[Finding]:
    for uuid, promise in cloud.vms.items():
        vm = snapshot.find(VmInstance, uuid)
        if promise.created and not promise.given_up and vm is None:
            yield "I-21", f"VM {uuid}, whose create succeeded, is gone"
        if promise.gone and vm is not None:
            yield "I-21", f"VM {uuid} is there ({vm.state}), and should not be"
