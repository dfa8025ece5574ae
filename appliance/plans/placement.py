"""Choosing a host: filters in ZStack's order, then one of those left, as the offering's strategy says.

- LeastVmPreferredHostAllocatorStrategy: the one with the fewest VMs.
- DefaultHostAllocatorStrategy: the one with most memory left.
- DesignatedHostAllocatorStrategy: the same, among those of the zone, cluster or host that the call names. What a
  call names is kept to with every strategy.
- LastHostPreferredAllocatorStrategy: the one that the VM was last on, else the one with the fewest VMs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from appliance.api.errors import NoHostAvailable
from appliance.api.offering import DEFAULT, DESIGNATED, LAST_HOST, LEAST_VMS

NO_FIELD = ""
"""In place of a field of the call: none of those that it may have besides is what is wrong."""

UP = ("Enabled", "Connected", "Enabled")
PASSTHROUGH = "runs guests by kvm, without which QEMU has no host-passthrough"
CPU_MODE = "give the global config kvm vm.cpuMode another value"


@dataclass(frozen=True)
class HostOption:
    """What placement needs to know of a host."""

    uuid: str
    name: str
    state: str
    status: str
    hypervisor_type: str
    available_memory: int
    available_cpu: int
    available_disk: int
    """Bytes its local primary storage has left; -1 where it has none."""
    l2_uuids: frozenset[str]
    backup_storage_in_zone: bool
    vms: int
    cluster_state: str = "Enabled"
    accelerator: str | None = None
    """kvm or tcg; None while nobody has tried, and for simulated hosts."""


@dataclass(frozen=True)
class Demand:
    """What a VM needs of a host."""

    memory: int
    cpu: int
    disk: int
    l2_uuids: frozenset[str]
    designated: str | None = None
    hypervisor: str | None = None
    """What the VM's image needs; any when None."""
    strategy: str = LEAST_VMS
    last_host: str | None = None
    bound: bool = False
    """Whether it can be on no other host than the one that has its volumes."""
    storage_named: bool = False
    """Whether the instance offering's tags name the primary storages that its volumes may be on."""
    passthrough: bool = False
    """Whether its guest is to see the CPU as it is, which QEMU does under KVM only."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """The fields of the call that want a host, and their values: what a refusal names."""

    def named(self, *wires: str) -> str:
        """The first of some fields that the call has, else all that it has, with their values; empty for `NO_FIELD`."""
        first = next((wire for wire in wires if wire in self.asked or wire == NO_FIELD), None)
        if first == NO_FIELD:
            return ""
        return ", ".join(f"{wire}[{self.asked[wire]}]" for wire in ([first] if first else self.asked))


@dataclass(frozen=True)
class Filter:
    """What is wanted of a host, the fields of calls that ask for it, best first, and what helps when no host is so."""

    wanted: str
    wires: tuple[str, ...]
    advice: str
    test: Callable[[HostOption], bool]
    there: str = ""
    """What helps where it can be one host only; the same where this is empty."""


def choose_host(options: list[HostOption], demand: Demand) -> str:
    """The uuid of the host that the strategy prefers among those that can take the VM.

    Raises `NoHostAvailable` naming the field of the call that cannot be met, which filter left no host, which ones had
    ruled out others before, why the last ones fell out, and what to do.
    """
    left = options
    also = [VOLUMES] if demand.bound else []
    if not left:
        text = "there is no host in the zone and cluster asked for; add one with AddKVMHost"
        raise NoHostAvailable(
            _led(demand.named("hostUuid", "clusterUuid", "zoneUuid", "l3NetworkUuids"), text)
        )
    for each in _filters(demand):
        passed = [option for option in left if each.test(option)]
        if not passed:
            fell = "; ".join(f"{option.name} {_missing(each.wanted, option, demand)}" for option in left[:5])
            that = f" that also {', '.join(also)}" if also else ""
            one = demand.bound or demand.designated is not None
            advice = (each.there if one else "") or each.advice
            text = f"no host {each.wanted}{that}: {advice}; ruled out last: {fell}"
            raise NoHostAvailable(_led(demand.named(*each.wires), text))
        if len(passed) < len(left):
            also.append(each.wanted)
        left = passed
    return _preferred(left, demand).uuid


def _led(named: str, text: str) -> str:
    return f"{named}: {text}" if named else text


def _preferred(left: list[HostOption], demand: Demand) -> HostOption:
    """One of the hosts that can take the VM; equals are told apart by uuid, so that it is always the same one."""

    def fewest_vms(option: HostOption) -> tuple[int, int, str]:
        return option.vms, -option.available_memory, option.uuid

    def most_memory(option: HostOption) -> tuple[int, str]:
        return -option.available_memory, option.uuid

    if demand.strategy in (DEFAULT, DESIGNATED):
        return min(left, key=most_memory)
    last = [option for option in left if option.uuid == demand.last_host]
    return min(last if demand.strategy == LAST_HOST and last else left, key=fewest_vms)


def why_not(option: HostOption, demand: Demand) -> str | None:
    """The first thing that keeps a host from taking the VM, with figures, and the way out; None when nothing does."""
    for each in _filters(demand):
        if not each.test(option):
            return _with(_missing(each.wanted, option, demand), _helps(each.wanted, option))
    return None


def _with(missing: str, helps: str) -> str:
    return f"{missing}; {helps}" if helps else missing


def _helps(wanted: str, option: HostOption) -> str:
    """What helps so that a host could take a VM that is moved; empty where nothing simple does."""
    if wanted == CONNECTED:
        return way_out(option.state, option.status)
    if wanted == L2 or (wanted == DISK and option.available_disk < 0):
        return "attach that to its cluster"
    return {
        MEMORY: "stop VMs there, or move them",
        CPU: "stop VMs there, or move them",
        DISK: "make room there",
    }.get(wanted, "")


def trouble_of(state: str, status: str, cluster_state: str = "Enabled") -> str | None:
    """What keeps a host from taking anything at all, and nothing that does not; None when nothing does."""
    wrong = [found for found, wanted in zip((state, status), UP, strict=False) if found != wanted]
    if wrong:
        return f"is {' and '.join(wrong)}"
    return None if cluster_state == UP[2] else f"is in a cluster that is {cluster_state}"


def way_out(state: str, status: str) -> str:
    """What helps against that."""
    if status == "Connecting":
        return "wait until it is Connected"
    helps = [help_ for help_, wrong in (("enable", state != UP[0]), ("reconnect", status != UP[1])) if wrong]
    return f"{' and '.join(helps)} it first" if helps else "enable that first"


def _missing(wanted: str, option: HostOption, demand: Demand) -> str:
    """That a host is not what was wanted of it, in figures where it is a matter of those."""
    figures = {
        CONNECTED: str(trouble_of(option.state, option.status, option.cluster_state)),
        MEMORY: f"has {_too_little(option.available_memory, demand.memory, 'memory left')}",
        CPU: f"has {option.available_cpu} MHz of CPU left, and {demand.cpu} are needed",
        DISK: f"has {_too_little(option.available_disk, demand.disk, 'primary storage left above the reserve')}"
        if option.available_disk >= 0
        else "has no primary storage that its disks could be on",
        DESIGNATED_ONE: "is another",
        L2: "is in a cluster without an L2 network that it is on",
        STORAGE: "has none of those primary storages",
        IMAGE: "is in a zone without a backup storage that has the image",
        PASSTHROUGH: f"runs guests by {option.accelerator}",
        _hypervisor(demand): f"is of hypervisor {option.hypervisor_type}",
    }
    return figures.get(wanted, f"is not one that {wanted}")


def _too_little(left: int, needed: int, what: str) -> str:
    """How much is left of something and how much is needed, in bytes where larger units would look the same."""
    if mib(left) == mib(needed):
        return f"{left} bytes of {what}, and {needed} are needed"
    return f"{mib(left)} of {what}, and {mib(needed)} are needed"


def mib(count: int) -> str:
    """Bytes as people write them."""
    return f"{count / (1 << 20):.0f} MiB" if count < 1 << 33 else f"{count / (1 << 30):.1f} GiB"


L2 = "carries the L2 networks"
DESIGNATED_ONE = "is the one designated"
VOLUMES = "has the VM's volumes"
STORAGE = "has a primary storage that the instance offering's tags ask for"
CONNECTED = "is Enabled and Connected"
MEMORY = "has enough memory"
CPU = "has enough CPU"
IMAGE = "has the image's backup storage in its zone"
DISK = "has room on its primary storage"
SIZE = ("instanceOfferingUuid",)
SMALLER = "take a smaller instance offering, stop VMs, or add a host with AddKVMHost"
SMALLER_THERE = "take a smaller instance offering, or stop VMs on it"


def _filters(demand: Demand) -> tuple[Filter, ...]:
    """In ZStack's order."""
    image = ("imageUuid",)
    return (
        Filter(L2, ("l3NetworkUuids",), "attach the L2 networks of these L3 networks to one cluster with hosts",
               lambda o: demand.l2_uuids <= o.l2_uuids),
        Filter(DESIGNATED_ONE, ("hostUuid",), "name a host of that zone and cluster, or none",
               lambda o: demand.designated in (None, o.uuid)),
        Filter(STORAGE, SIZE, "attach one of those to the cluster, or change the tags of the instance offering",
               lambda o: not demand.storage_named or o.available_disk >= 0),
        Filter(CONNECTED, ("hostUuid", "clusterUuid", "zoneUuid", *(() if demand.bound else (NO_FIELD,))),
               "enable or reconnect a host, enable its cluster, or add a host with AddKVMHost",
               lambda o: (o.state, o.status, o.cluster_state) == UP,
               "enable or reconnect it"),
        Filter(_hypervisor(demand), image, "take an image for the hypervisor that is there",
               lambda o: demand.hypervisor in (None, o.hypervisor_type)),
        Filter(MEMORY, SIZE, SMALLER, lambda o: o.available_memory >= demand.memory, SMALLER_THERE),
        Filter(CPU, SIZE, SMALLER, lambda o: o.available_cpu >= demand.cpu, SMALLER_THERE),
        Filter(IMAGE, image,
               "attach the image's backup storage to the zone with AttachBackupStorageToZone",
               lambda o: o.backup_storage_in_zone),
        Filter(DISK, ("rootDiskOfferingUuid", "dataDiskOfferingUuids", *image),
               "attach a primary storage to the cluster, expunge what is deleted there, or lower the global config "
               "primaryStorage reservedCapacity",
               lambda o: o.available_disk >= demand.disk),
        Filter(PASSTHROUGH, (), CPU_MODE,
               lambda o: not demand.passthrough or o.accelerator != "tcg"),
    )  # fmt: skip


def _hypervisor(demand: Demand) -> str:
    return f"has hypervisor {demand.hypervisor}"
