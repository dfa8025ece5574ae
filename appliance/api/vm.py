"""VMs: what can be asked about virtual machines and their NICs."""

from __future__ import annotations

from typing import ClassVar

from appliance.api.cluster import Cluster
from appliance.api.errors import (
    AttachNetworkFailed,
    CreateVmFailed,
    DestroyVmFailed,
    NoAddressLeft,
    NoHostAvailable,
    RebootVmFailed,
    StartVmFailed,
    StopVmFailed,
    WrongVmState,
)
from appliance.api.host import Host
from appliance.api.image import PLATFORMS, Image
from appliance.api.l3 import L3Network
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.offering import DiskOffering, InstanceOffering
from appliance.api.resource import Embed, Join, Resource, Timestamp, column
from appliance.api.tally import of_host
from appliance.api.zone import Zone

JAVA = "org.zstack.header.vm"

STATES = (
    "Created", "Starting", "Running", "Stopping", "Stopped", "Rebooting", "Destroying", "Destroyed",
    "Migrating", "Expunging", "Error", "Unknown",
)  # fmt: skip


class VmInstance(Resource, java=JAVA):
    """A virtual machine."""

    embeds: ClassVar[tuple[Embed, ...]] = (
        Embed("vmNics", "VmNic", "vm_instance_uuid"),
        Embed("allVolumes", "Volume", "vm_instance_uuid"),
    )
    joins = (
        Join("zone", "Zone", "zone_uuid"),
        Join("cluster", "Cluster", "cluster_uuid"),
        Join("host", "Host", "host_uuid"),
        Join("image", "Image", "image_uuid"),
        Join("instanceOffering", "InstanceOffering", "instance_offering_uuid"),
        Join("rootVolume", "Volume", "root_volume_uuid"),
    )
    indexes = (
        ("state", "name"),
        ("state", "create_date"),
        ("host_uuid", "create_date"),
        ("cluster_uuid", "name"),
        ("zone_uuid", "name"),
    )

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is for.", default=None)
    zone_uuid: str = column("The zone it is in.", few=True)
    cluster_uuid: str | None = column("The cluster it is in.", default=None, few=True)
    image_uuid: str = column("The image it was made from.", indexed=True)
    host_uuid: str | None = column("The host it runs on.", default=None)
    last_host_uuid: str | None = column("The host it last ran on.", default=None, indexed=True)
    instance_offering_uuid: str | None = column("The size it was made with.", default=None, indexed=True)
    root_volume_uuid: str | None = column("Its root volume.", default=None, indexed=True)
    platform: str = column("Linux, Windows, WindowsVirtio, Other or Paravirtualization.", default="Linux")
    default_l3_network_uuid: str | None = column("Where its router and names come from.", default=None)
    type: str = column("UserVm.", default="UserVm")
    hypervisor_type: str = column("KVM or Simulator.", default="KVM")
    memory_size: int = column("Bytes of memory.", indexed=True, few=True)
    cpu_num: int = column("Number of virtual CPUs.", indexed=True, few=True)
    cpu_speed: int = column("MHz that each counts for.")
    allocator_strategy: str = column("How a host is chosen.", default="LeastVmPreferredHostAllocatorStrategy")
    state: str = column("What it is doing.", default="Created", indexed=True, few=True)
    state_cause: str | None = column("Why it came to that state by itself.", default=None, owner="observed")
    stands_still: str | None = column(
        "Why its guest stands still while it is on, and the ways out.", default=None, owner="observed"
    )
    cannot_move: str | None = column(
        "Why it cannot move to another host while it runs, and the ways out.", default=None, owner="observed"
    )
    create_date: Timestamp = column("When it was made.", default=Timestamp(0), indexed=True)
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0), indexed=True)
    internal_id: int = column("Names its devices on hosts.", private=True, unique=True)
    intended: str = column("Running, Stopped, Destroyed or Absent.", default="Running", private=True)
    generation: int = column("Counts changes of what is intended.", default=1, private=True)
    boot_count: int = column("Counts the reboots asked for.", default=0, private=True)
    booted_count: int = column("The reboots seen done.", default=0, private=True, owner="observed")
    stop_deadline: Timestamp | None = column("When to pull the plug.", default=None, private=True)
    created: bool = column("Whether it has ever been whole.", default=False, private=True)
    power: str = column("on, off or unseen, as last seen.", default="unseen", private=True, owner="observed")
    seen_at: int = column("The host's clock of that sight, ns.", default=0, private=True, owner="observed")
    moving: bool = column(
        "Whether it, or its root volume, is on its way to another host.", default=False, private=True
    )
    being_read: bool = column(
        "Whether something is being made of a volume of it, which nobody may write to.",
        default=False,
        private=True,
    )
    pending_cpu_num: int | None = column("CPUs from its next start on.", default=None, private=True)
    pending_cpu_speed: int | None = column("MHz of each from then on.", default=None, private=True)
    pending_memory_size: int | None = column("Bytes of memory from then on.", default=None, private=True)

    def tallies(self) -> dict[str, int]:
        """What it has of its host: of a VM whose size will change, the larger one counts."""
        if self.host_uuid is None:
            return {}
        return {
            of_host("vms", self.host_uuid): 1,
            of_host("memory", self.host_uuid): self.most_memory,
            of_host("cpu", self.host_uuid): self.most_cpu,
        }

    @property
    def most_memory(self) -> int:
        """Bytes of memory that it has, or will have if that is more."""
        return max(self.memory_size, self.pending_memory_size or 0)

    @property
    def most_cpu(self) -> int:
        """CPUs times MHz that it has, or will have if that is more."""
        return max(self.cpu_num * self.cpu_speed, (self.pending_cpu_num or 0) * (self.pending_cpu_speed or 0))


class VmNic(Resource, java=JAVA):
    """A NIC of a VM. `gateway` and `netmask` are of the range its address is from."""

    joins = (
        Join("vmInstance", "VmInstance", "vm_instance_uuid"),
        Join("l3Network", "L3Network", "l3_network_uuid"),
        Join("eip", "Eip", theirs="vm_nic_uuid"),
        Join("portForwarding", "PortForwardingRule", theirs="vm_nic_uuid"),
        Join("securityGroupRef", "VmNicSecurityGroupRef", theirs="vm_nic_uuid", hidden=True),
        Join("loadBalancerListenerRef", "LoadBalancerListenerVmNicRef", theirs="vm_nic_uuid", hidden=True),
    )
    aliases = (
        ("securityGroup", "securityGroupRef.securityGroup"),
        ("loadBalancerListener", "loadBalancerListenerRef.listener"),
    )

    indexes = (("ip", "vm_instance_uuid"), ("l3_network_uuid", "vm_instance_uuid"))

    uuid: str = column("Identity.")
    vm_instance_uuid: str = column("The VM.", indexed=True)
    l3_network_uuid: str = column("The network.", few=True)
    ip: str | None = column("Its address.", default=None)
    mac: str = column("Its hardware address.", unique=True)
    netmask: str | None = column("Netmask.", default=None)
    gateway: str | None = column("Router.", default=None)
    meta_data: str | None = column("The number of its VM, after which its tap is named.", default=None)
    device_id: int = column("Its place in the VM.", default=0)
    create_date: Timestamp = column("When it was made.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    used_ip_uuid: str | None = column("The taken address.", default=None, private=True)
    intended: str = column("Present or Absent.", default="Present", private=True)
    plugged: bool = column("Whether it has ever been whole.", default=True, private=True)
    former_ip: str | None = column("What it had when its VM was destroyed.", default=None, private=True)
    was_default: bool = column("Whether the VM's default network left with it.", default=False, private=True)


class CreateVmInstance(CreateMessage, java=JAVA, returns=VmInstance, role="operator",
                       raises=(CreateVmFailed, NoHostAvailable, NoAddressLeft)):  # fmt: skip
    """Create a VM from an image and start it. If that fails, nothing of it is kept."""

    name: str = arg("Display name.", max_length=255)
    instance_offering_uuid: str = arg("Its size.", ref=InstanceOffering)
    image_uuid: str = arg("What its root volume is made from.", ref=Image)
    l3_network_uuids: list[str] = arg("It gets one NIC on each.", ref=L3Network)
    type: str = arg("Kind of VM.", default="UserVm", choices=("UserVm", "ApplianceVm"))
    root_disk_offering_uuid: str | None = arg(
        "Size of the root volume, for ISO images.", default=None, ref=DiskOffering
    )
    data_disk_offering_uuids: list[str] = arg(
        "It gets one data volume of each.", default=[], ref=DiskOffering
    )
    zone_uuid: str | None = arg("Only in this zone.", default=None, ref=Zone)
    cluster_uuid: str | None = arg("Only in this cluster.", default=None, ref=Cluster)
    host_uuid: str | None = arg("Only on this host.", default=None, ref=Host)
    description: str | None = arg("What it is for.", default=None, max_length=2048)
    default_l3_network_uuid: str | None = arg("Where its router and names come from.", default=None)


class StartVmInstance(Message, java=JAVA, returns=VmInstance, role="operator",
                      raises=(StartVmFailed, WrongVmState, NoHostAvailable)):  # fmt: skip
    """Power a VM on."""

    uuid: str = arg("The VM.", ref=VmInstance)


class StopVmInstance(Message, java=JAVA, returns=VmInstance, role="operator",
                     raises=(StopVmFailed, WrongVmState)):  # fmt: skip
    """Ask a guest to power off, and pull the plug when it has not after a minute."""

    uuid: str = arg("The VM.", ref=VmInstance)


class RebootVmInstance(Message, java=JAVA, returns=VmInstance, role="operator",
                       raises=(RebootVmFailed, WrongVmState)):  # fmt: skip
    """Ask a guest to restart, and reset it when it has not after a minute; at once where it stands still."""

    uuid: str = arg("The VM.", ref=VmInstance)


class DestroyVmInstance(
    DeleteMessage,
    in_use="deleted",
    along=("Volume", "VmNic", "VolumeSnapshot"),
    java=JAVA,
    role="operator",
    raises=(DestroyVmFailed,),
):
    """Destroy a VM. The deletion policy of VMs decides whether it can still be recovered."""

    uuid: str = arg("The VM.")


class RecoverVmInstance(Message, java=JAVA, returns=VmInstance, role="operator", raises=(WrongVmState,)):
    """Take a destroyed VM back, stopped. Either of the first two parameters names it.

    An address or a volume that somebody else has by now is left out, and an event says so.
    """

    uuid: str | None = arg("The VM.", default=None, ref=VmInstance)
    vm_instance_uuid: str | None = arg("The VM.", default=None, ref=VmInstance)
    attach_data_volumes: bool = arg(
        "Whether it gets the data volumes again that it had, those deleted with it included.", default=False
    )
    take_former_ips: bool = arg(
        "Whether it has the addresses again that it had, where they are free; else it gets others at its next start.",
        default=True,
    )


class ExpungeVmInstance(Message, java=JAVA, role="operator", raises=(WrongVmState,)):
    """Remove a destroyed VM and its root volume for good, now."""

    uuid: str = arg("The VM.", ref=VmInstance)


class UpdateVmInstance(Message, java=JAVA, returns=VmInstance, role="operator"):
    """Change name, description or platform of a VM."""

    uuid: str = arg("The VM.", ref=VmInstance)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)
    default_l3_network_uuid: str | None = arg(
        "Where its router and names come from.", default=None, ref=L3Network
    )
    platform: str | None = arg(
        "Decides the virtual devices at the next start.", default=None, choices=PLATFORMS
    )
    state: str | None = arg(
        "The state that its host sees; another is refused, since no word starts or stops a VM.",
        default=None, choices=("Stopped", "Running"),
    )  # fmt: skip


class ChangeInstanceOffering(Message, java=JAVA, returns=VmInstance, role="operator",
                             raises=(WrongVmState, NoHostAvailable)):  # fmt: skip
    """Give a VM another size: at once when it is stopped, at its next start when it runs."""

    vm_instance_uuid: str = arg("The VM.", ref=VmInstance)
    instance_offering_uuid: str = arg("Its new size.", ref=InstanceOffering)


class AttachL3NetworkToVm(Message, java=JAVA, returns=VmInstance, role="operator",
                          raises=(AttachNetworkFailed, WrongVmState, NoAddressLeft)):  # fmt: skip
    """Give a VM a NIC on one more network; a running guest gets it at once."""

    vm_instance_uuid: str = arg("The VM.", ref=VmInstance)
    l3_network_uuid: str = arg("The network.", ref=L3Network)


class DetachL3NetworkFromVm(Message, java=JAVA, returns=VmInstance, role="operator",
                            raises=(WrongVmState,)):  # fmt: skip
    """Take a NIC and its address from a VM; a running guest must let go of it."""

    vm_nic_uuid: str = arg("The NIC.", ref=VmNic)


class GetVmAttachableL3Network(Message, java=JAVA, sync=True, role="read-only"):
    """List the networks that AttachL3NetworkToVm would take for a VM."""

    vm_instance_uuid: str = arg("The VM.", ref=VmInstance)


class GetVmAttachableDataVolume(Message, java=JAVA, sync=True, role="read-only"):
    """List the data volumes that could be attached to a VM."""

    vm_instance_uuid: str = arg("The VM.", ref=VmInstance)


class GetVmMigrationCandidateHosts(Message, java=JAVA, sync=True, role="read-only", raises=(WrongVmState,)):
    """List the hosts that a running VM could move to, and as `excluded` the others of its zone with the reason."""

    vm_instance_uuid: str = arg("The VM.", ref=VmInstance)


class GetVmConsoleAddress(Message, java=JAVA, sync=True, role="operator"):
    """Say where a running VM's graphical console listens: hostIp, port, protocol."""

    uuid: str = arg("The VM.", ref=VmInstance)


class GetVmConsolePassword(Message, java=JAVA, sync=True, role="operator", secret_reply=True):
    """Have a running VM's graphical console take a new password, and no other: consolePassword, validSeconds.

    The name is a later ZStack's. VNC takes it once, SPICE for as long as it is valid. It is empty where the console
    asks for none: the VM was started while the global config kvm.vm.consolePassword was false.
    """

    uuid: str = arg("The VM.", ref=VmInstance)


class QueryVmInstance(QueryMessage, java=JAVA, resource=VmInstance):
    """Find VMs."""


class QueryVmNic(QueryMessage, java=JAVA, resource=VmNic):
    """Find NICs."""
