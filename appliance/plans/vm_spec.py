"""Rows into the specs that hosts are sent: the domain of a VM, its NICs and their networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from agent.protocol import (
    Accelerator,
    DiskSpec,
    DomainSpec,
    EnsureBridge,
    EnsureNetwork,
    EnsureNic,
    Metadata,
    NicSpec,
)
from appliance.api.l2 import L2Network
from appliance.api.l3 import IpRange, L3Network
from appliance.api.tag import VIRTIO_VOLUME
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.plans import naming, userdata
from appliance.plans.boot import DEVICES, Medium, boot_order
from appliance.plans.volume import VolumeIntent

VIRTIO_PLATFORMS = frozenset({"Linux", "Paravirtualization", "WindowsVirtio"})
"""Guests that get virtio devices; others have what can be changed only while they are off."""

CACHES: dict[str, Literal["none", "writethrough", "writeback"]] = {
    "0": "none", "1": "writethrough", "2": "writeback",
}  # fmt: skip
"""What the setting kvm.vm.cacheMode means."""

METADATA_ASSET = "www.zstack.io"
"""The chassis asset tag by which an untouched cloud-init knows where to ask for its user data."""


@dataclass(frozen=True)
class NetworkRows:
    """An L3 network with all that its NICs depend on."""

    l3: L3Network
    l2: L2Network
    ranges: tuple[IpRange, ...]
    dns: tuple[str, ...]
    services: frozenset[str]
    lease_seconds: int

    @property
    def bridge(self) -> str:
        """The bridge on each host."""
        return naming.bridge(self.l2.physical_interface, self.l2.vlan)


@dataclass(frozen=True)
class VmRows:
    """A VM with all that its specs depend on, read in one snapshot."""

    vm: VmInstance
    root: Volume | None
    nics: tuple[VmNic, ...]
    leaving: tuple[str, ...]
    networks: dict[str, NetworkRows]
    tags: tuple[str, ...]
    accelerator: str
    console_mode: str
    console_guarded: bool
    cpu_mode: str
    cache_mode: str
    management_ip: str
    data: tuple[Volume, ...] = ()
    """The data volumes that it is to have, in their order."""
    root_intent: VolumeIntent | None = None
    letting_go: bool = False
    """Whether it is to have a data volume no more."""
    intents: tuple[VolumeIntent, ...] = ()
    """Those, as its host should have them."""
    dropped: tuple[str, ...] = ()
    """Files of volumes that it was to have, and that were never whole."""
    medium: Medium | None = None
    """What is in its CD-ROM drive."""
    from_iso: bool = False
    """Whether it was made from an ISO: then it boots that once, and what that installed from then on."""


def bridge_spec(network: NetworkRows) -> EnsureBridge:
    """The bridge of an L2 network."""
    return l2_spec(network.l2)


def l2_spec(l2: L2Network) -> EnsureBridge:
    """The bridge of an L2 network."""
    return EnsureBridge(
        l2_uuid=l2.uuid,
        bridge=naming.bridge(l2.physical_interface, l2.vlan),
        physical_interface=l2.physical_interface,
        vlan=l2.vlan,
    )


def network_spec(network: NetworkRows) -> EnsureNetwork | None:
    """How an L3 network is served on a host; None when no host serves it."""
    if network.l3.dhcp_ip is None or not network.ranges:
        return None
    return EnsureNetwork(
        l3_uuid=network.l3.uuid,
        bridge=network.bridge,
        physical_interface=network.l2.physical_interface,
        dhcp_ip=network.l3.dhcp_ip,
        netmask=network.ranges[0].netmask,
        gateway=network.ranges[0].gateway,
        dns=list(network.dns),
        domain=network.l3.dns_domain or "",
        lease_seconds=network.lease_seconds,
        userdata="Userdata" in network.services,
    )


def nic_spec(rows: VmRows, nic: VmNic) -> EnsureNic | None:
    """What a host does for one NIC; None while it has no address."""
    if nic.ip is None:
        return None
    network = rows.networks[nic.l3_network_uuid]
    primary = nic.l3_network_uuid == rows.vm.default_l3_network_uuid
    return EnsureNic(
        nic_uuid=nic.uuid,
        vm_uuid=rows.vm.uuid,
        l3_uuid=nic.l3_network_uuid,
        device=naming.tap(rows.vm.internal_id, nic.device_id),
        bridge=network.bridge,
        mac=nic.mac,
        ip=nic.ip,
        hostname=host_name(rows),
        primary=primary,
        dhcp="DHCP" in network.services,
        metadata=metadata(rows) if _served(network) else None,
    )


def metadata(rows: VmRows) -> Metadata:
    """What the guest is told about itself."""
    return Metadata(
        instance_id=userdata.instance_id(rows.vm.uuid, rows.tags),
        local_hostname=host_name(rows),
        public_keys=userdata.public_keys(rows.tags),
        user_data=userdata.user_data(rows.tags),
    )


def host_name(rows: VmRows) -> str:
    """The guest's host name: its tag's, else one made of the VM's name or address."""
    for tag in rows.tags:
        if tag.startswith("hostname::"):
            return tag.removeprefix("hostname::")
    first = next((nic.ip for nic in rows.nics if nic.ip), None)
    return naming.host_label(rows.vm.name, first)


def domain_spec(rows: VmRows) -> DomainSpec:
    """The whole domain."""
    vm = rows.vm
    virtio = vm.platform in VIRTIO_PLATFORMS
    default = rows.networks.get(vm.default_l3_network_uuid or "")
    return DomainSpec(
        vm_uuid=vm.uuid,
        name=vm.name,
        internal_id=vm.internal_id,
        memory_bytes=vm.memory_size,
        cpu_num=vm.cpu_num,
        cpu_shares=max(2, min(vm.cpu_speed * vm.cpu_num, 262_144)),
        accelerator=cast(Accelerator, rows.accelerator),
        disks=[*_disks(rows, virtio=virtio or VIRTIO_VOLUME in rows.tags)],
        nics=[_domain_nic(rows, nic, virtio=virtio) for nic in rows.nics if nic.ip],
        boot=[DEVICES[device] for device in boot_order(rows.tags)],
        iso=rows.medium.path if rows.medium is not None else "",
        console="spice" if rows.console_mode == "spice" else "vnc",
        console_listen=console_listen(rows.management_ip),
        console_guarded=rows.console_guarded,
        cpu_mode=_cpu_mode(rows.cpu_mode),
        chassis_asset=METADATA_ASSET if default is not None and _served(default) else "",
        serial_log=naming.serial_log(vm.uuid),
    )


def _disks(rows: VmRows, *, virtio: bool) -> Iterator[DiskSpec]:
    for volume in (rows.root, *rows.data):
        if volume is not None and volume.install_path is not None:
            yield DiskSpec(
                volume_uuid=volume.uuid,
                path=volume.install_path,
                format="raw" if volume.format == "raw" else "qcow2",
                device_id=volume.device_id or 0,
                cache=CACHES.get(rows.cache_mode, "none"),
                bus="virtio" if virtio else "ide",
            )


def console_listen(management_ip: str) -> str:
    """Where the consoles of a host's VMs listen."""
    return management_ip if naming.is_address(management_ip) else "127.0.0.1"


def _domain_nic(rows: VmRows, nic: VmNic, *, virtio: bool) -> NicSpec:
    return NicSpec(
        nic_uuid=nic.uuid,
        device=naming.tap(rows.vm.internal_id, nic.device_id),
        mac=nic.mac,
        bridge=rows.networks[nic.l3_network_uuid].bridge,
        model="virtio" if virtio else "e1000",
    )


def _served(network: NetworkRows) -> bool:
    return "Userdata" in network.services and network.l3.dhcp_ip is not None


def _cpu_mode(value: str):  # type: ignore[no-untyped-def]  # narrows to the literal that DomainSpec takes
    return value if value in {"host-model", "host-passthrough"} else "none"
