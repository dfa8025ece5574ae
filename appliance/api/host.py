"""Hosts: what can be asked about the machines that VMs run on."""

from __future__ import annotations

from appliance.api.cluster import Cluster
from appliance.api.errors import (
    AddHostFailed,
    HostUnreachable,
    MaintenanceFailed,
    ReconnectFailed,
)
from appliance.api.message import CreateMessage, DeleteMessage, Message, QueryMessage, arg
from appliance.api.resource import Child, Join, Resource, Timestamp, column

JAVA = "org.zstack.header.host"
KVM = "org.zstack.kvm"


class Host(Resource, java=JAVA):
    """A machine that runs VMs."""

    joins = (
        Join("zone", "Zone", "zone_uuid"),
        Join("cluster", "Cluster", "cluster_uuid"),
        Join("vmInstance", "VmInstance", theirs="host_uuid"),
    )
    typed_by = "hypervisor_type"
    children = (
        Child("KVMHost", KVM, "KVM", ("username", "ssh_port", "host_key_fingerprint")),
        Child(
            "SimulatorHost", "org.zstack.header.simulator", "Simulator", ("memory_capacity", "cpu_capacity")
        ),
    )

    uuid: str = column("Identity.")
    name: str = column("Display name.", indexed=True)
    description: str | None = column("What it is.", default=None)
    zone_uuid: str = column("The zone it is in.", indexed=True)
    cluster_uuid: str = column("The cluster it is in.", indexed=True)
    management_ip: str = column("The address its sshd listens on.", unique=True)
    ssh_port: int = column("The port its sshd listens on.", default=22)
    username: str = column("Who the appliance logs in as.", default="root")
    host_key_fingerprint: str | None = column("The SSH host key that it must have, by SHA256.", default=None)
    hypervisor_type: str = column("KVM or Simulator.", default="KVM")
    state: str = column("Enabled, Disabled, PreMaintenance or Maintenance.", default="Enabled")
    status: str = column("Connecting, Connected or Disconnected.", default="Connecting", owner="observed")
    status_reason: str | None = column("Why it is not connected.", default=None, owner="observed")
    total_cpu_capacity: int = column("CPUs times MHz.", default=0, owner="observed")
    available_cpu_capacity: int = column("What VMs have left of it.", default=0)
    total_memory_capacity: int = column("Memory in bytes.", default=0, owner="observed")
    available_memory_capacity: int = column("What VMs and the reserve have left of it.", default=0)
    memory_capacity: int | None = column("What a simulated host is said to have, in bytes.", default=None)
    cpu_capacity: int | None = column("What a simulated host is said to have, CPUs times MHz.", default=None)
    cpu_num: int = column("Number of CPUs.", default=0, owner="observed")
    cpu_model: str = column("Its CPU, in its maker's words.", default="", private=True, owner="observed")
    accelerator: str | None = column("kvm or tcg: how its guests run.", default=None, owner="observed")
    agent_version: str | None = column("The agent it runs.", default=None, owner="observed")
    create_date: Timestamp = column("When it was added.", default=Timestamp(0))
    last_op_date: Timestamp = column("When it last changed.", default=Timestamp(0))
    intended: str = column("Present or Absent.", default="Present", private=True)
    connect_id: int = column("Counts the connections asked for.", default=1, private=True)
    connected_id: int = column("The last of them made.", default=0, private=True, owner="observed")
    boot_id: str | None = column("Of the host's kernel.", default=None, private=True, owner="observed")
    fetch_sequence: int = column("The last user-data fetch read.", default=0, private=True, owner="observed")


class HostKey(Resource, primary="machine"):
    """The SSH host key of a machine, pinned at first contact."""

    machine: str = column("Address and port.", private=True)
    public_key: str = column("The key, as sshd offers it.", private=True)
    fingerprint: str = column("Its SHA256 fingerprint.")
    create_date: Timestamp = column("When it was pinned.", default=Timestamp(0))


class AddKVMHost(CreateMessage, java=KVM, returns=Host, result_class=f"{JAVA}.APIAddHostEvent",
                 raises=(AddHostFailed,)):  # fmt: skip
    """Add a Linux machine with sshd, libvirt, QEMU and dnsmasq as a host.

    The password is used once, to install the appliance's own key, and is never stored.
    """

    name: str = arg("Display name.", max_length=255)
    description: str | None = arg("What it is.", default=None, max_length=2048)
    management_ip: str = arg("Address or name of the machine.", max_length=255)
    cluster_uuid: str = arg("The cluster it goes into.", ref=Cluster)
    username: str = arg("root, or a user with sudo that asks for no password.", max_length=255)
    password: str = arg(
        "Used once to install the appliance's key; empty if it is installed.",
        max_length=255,
        secret=True,
        empty_allowed=True,
    )
    ssh_port: int = arg("Port of its sshd.", default=22, minimum=1, maximum=65535)
    host_key_fingerprint: str | None = arg(
        "Refuse the machine unless its SSH host key has this SHA256 fingerprint. When absent, the key that it has "
        "when it is first seen is believed, and told by an event.",
        default=None,
    )


class UpdateKVMHost(Message, java=KVM, returns=Host, result_class=f"{JAVA}.APIUpdateHostEvent",
                    raises=(HostUnreachable,)):  # fmt: skip
    """Change name, description or address of a host, or accept its new SSH host key.

    Reconnect it for an address or a key to take effect.
    """

    uuid: str = arg("The host.", ref=Host)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)
    management_ip: str | None = arg("New address.", default=None, max_length=255)
    username: str | None = arg("New user.", default=None, max_length=255)
    password: str | None = arg(
        "Used once to install the appliance's key again.", default=None, max_length=255, secret=True
    )
    ssh_port: int | None = arg("New port.", default=None, minimum=1, maximum=65535)
    host_key_fingerprint: str | None = arg(
        "Accept the SSH host key that the machine has now, if this is its SHA256 fingerprint.", default=None
    )


class UpdateHost(Message, java=JAVA, returns=Host):
    """Change name, description or address of a host. Reconnect it for a new address to be used."""

    uuid: str = arg("The host.", ref=Host)
    name: str | None = arg("New name.", default=None, max_length=255)
    description: str | None = arg("New description.", default=None, max_length=2048)
    management_ip: str | None = arg("New address.", default=None, max_length=255)


class DeleteHost(DeleteMessage, java=JAVA):
    """Remove a host from the cloud; refused while it holds VMs, with either deleteMode."""

    uuid: str = arg("The host.")


class ReconnectHost(Message, java=JAVA, role="operator", raises=(ReconnectFailed,)):
    """Connect a host again from the start: agent, facts, networks, VM states."""

    uuid: str = arg("The host.", ref=Host)


class ChangeHostState(Message, java=JAVA, returns=Host, role="operator", raises=(MaintenanceFailed,)):
    """Enable a host, disable it for new VMs, or put it into maintenance.

    Maintenance stops the VMs that run there, as ZStack does where disks are local, and begins when the last one has
    stopped: until then the host is PreMaintenance. Enabling a host ends its maintenance, and connects it again.
    """

    uuid: str = arg("The host.", ref=Host)
    state_event: str = arg("What to do.", choices=("enable", "disable", "maintain"))


class QueryHost(QueryMessage, java=JAVA, resource=Host):
    """Find hosts."""
