"""What creating a VM means: host, disk, NICs, addresses and tags, all in one transaction, or nothing."""

from __future__ import annotations

from dataclasses import replace

from appliance.api.counting import counted
from appliance.api.errors import InvalidArgument, OperationFailed
from appliance.api.host import Host
from appliance.api.image import Image, ImageBackupStorageRef
from appliance.api.l3 import L3Network
from appliance.api.offering import DiskOffering, InstanceOffering
from appliance.api.simulator import FORMAT
from appliance.api.storage import PrimaryStorage
from appliance.api.vm import CreateVmInstance, VmInstance
from appliance.api.volume import Volume
from appliance.api.zone import Zone
from appliance.plans import naming
from appliance.plans.boot import ISO
from appliance.plans.placement import Demand
from appliance.reconcile.capacity import keep_volume, recount_storage
from appliance.reconcile.inherent_tags import put_inherent_tag
from appliance.reconcile.vm_state import change_vm
from appliance.resources.creating import add, asked, uuid_for
from appliance.resources.offering import enabled_instance_offering
from appliance.resources.placing import (
    check_hypervisor,
    check_zone,
    hypervisor_for,
    passthrough,
    pick_host,
)
from appliance.resources.promising import promise
from appliance.resources.registry import Caller, Promise, handles
from appliance.resources.storage_wish import storage_wish
from appliance.resources.vm_nic import add_nic
from appliance.resources.volume import enabled_disk_offering, whole_sectors
from appliance.resources.volume_attach import put_on
from appliance.store.transaction import Transaction


@handles(CreateVmInstance)
def create_vm(tx: Transaction, request: CreateVmInstance, caller: Caller) -> Promise:
    """Every row of the VM; the commit is the moment it exists."""
    image = _image(tx, request)
    networks = _networks(tx, request)
    offering = enabled_instance_offering(tx, request.instance_offering_uuid)
    zone_uuid = _zone(tx, request, networks)
    data = _data_offerings(tx, request)
    disk = _root_disk(tx, request)
    size = whole_sectors(disk.disk_size) if disk is not None else image.size
    disk_bytes = size + sum(whole_sectors(each.disk_size) for each in data)
    demand = replace(_demand(request, offering, image, networks, disk_bytes), passthrough=passthrough(tx))
    check_hypervisor(tx, image, request.cluster_uuid, request.host_uuid)
    stored = {ref.backup_storage_uuid for ref in tx.all(ImageBackupStorageRef, image_uuid=image.uuid)}
    # Before a host is looked for: who asks a second time learns so, whatever room there is now.
    uuid = uuid_for(tx, request, VmInstance)
    wish = storage_wish(tx, offering.uuid)
    host, storage_uuid = pick_host(tx, demand, zone_uuid, request.cluster_uuid, stored, wish)
    vm = add(tx, request, _vm(tx, request, uuid, image, offering, networks, host))
    root = _root_volume(tx, vm, image, disk, host.uuid, storage_uuid)
    if disk is not None:
        put_inherent_tag(tx, vm, f"{ISO}{image.uuid}")
    vm = tx.update(vm, root_volume_uuid=root.uuid, host_uuid=host.uuid)
    for device_id, each in enumerate(data, 1):
        _data_volume(tx, vm, each, device_id, storage_uuid)
    for device_id, network in enumerate(networks):
        add_nic(tx, vm, network, device_id, field="l3NetworkUuids")
    vm = change_vm(tx, vm, intended="Running")
    recount_storage(tx, storage_uuid)
    return promise(tx, request, vm, caller)


def _vm(
    tx: Transaction,
    request: CreateVmInstance,
    uuid: str,
    image: Image,
    offering: InstanceOffering,
    networks: list[L3Network],
    host: Host,
) -> VmInstance:
    return VmInstance(
        uuid=uuid,
        name=request.name,
        description=request.description,
        zone_uuid=host.zone_uuid,
        cluster_uuid=host.cluster_uuid,
        image_uuid=image.uuid,
        instance_offering_uuid=offering.uuid,
        platform=image.platform,
        default_l3_network_uuid=request.default_l3_network_uuid or networks[0].uuid,
        hypervisor_type=host.hypervisor_type,
        memory_size=offering.memory_size,
        cpu_num=offering.cpu_num,
        cpu_speed=offering.cpu_speed,
        allocator_strategy=offering.allocator_strategy,
        internal_id=_next_internal_id(tx),
    )


def _demand(
    request: CreateVmInstance,
    offering: InstanceOffering,
    image: Image,
    networks: list[L3Network],
    disk_bytes: int,
) -> Demand:
    return Demand(
        memory=offering.memory_size,
        cpu=offering.cpu_num * offering.cpu_speed,
        disk=disk_bytes,
        l2_uuids=frozenset(network.l2_network_uuid for network in networks),
        designated=request.host_uuid,
        hypervisor=hypervisor_for(image),
        strategy=offering.allocator_strategy,
        asked=asked(request),
    )


def _image(tx: Transaction, request: CreateVmInstance) -> Image:
    image = tx.get(Image, request.image_uuid)
    if image.status != "Ready" or image.state != "Enabled":
        raise OperationFailed(f"image {image.name}[uuid:{image.uuid}] is {image.status} and {image.state}")
    if image.media_type not in {"RootVolumeTemplate", "ISO"}:
        raise InvalidArgument(
            f"imageUuid[{image.uuid}] is a {image.media_type}; a VM is made from a RootVolumeTemplate or an ISO"
        )
    if image.media_type == "ISO" and request.root_disk_offering_uuid is None:
        raise InvalidArgument(
            f"rootDiskOfferingUuid cannot be null when image media type is ISO, as image[uuid:{image.uuid}] is: it "
            f"says how large a root volume the system is installed on"
        )
    if image.media_type != "ISO" and request.root_disk_offering_uuid is not None:
        raise InvalidArgument("rootDiskOfferingUuid is for ISO images only; leave it out")
    if request.type != "UserVm":
        raise InvalidArgument("only VMs of type UserVm can be created")
    return image


def _networks(tx: Transaction, request: CreateVmInstance) -> list[L3Network]:
    uuids = request.l3_network_uuids
    if len(set(uuids)) != len(uuids):
        raise InvalidArgument("l3NetworkUuids names a network twice; a VM has one NIC on each")
    default = request.default_l3_network_uuid
    if default is not None and default not in uuids:
        raise InvalidArgument(f"defaultL3NetworkUuid[{default}] is not one of l3NetworkUuids")
    networks = [tx.get(L3Network, uuid) for uuid in uuids]
    for network in networks:
        if network.state != "Enabled":
            raise OperationFailed(f"L3 network {network.name}[uuid:{network.uuid}] is {network.state}")
    return networks


def _data_offerings(tx: Transaction, request: CreateVmInstance) -> list[DiskOffering]:
    most = int(tx.setting("kvm", "dataVolume.maxNum"))
    uuids = request.data_disk_offering_uuids
    if len(uuids) > most:
        raise InvalidArgument(
            f"dataDiskOfferingUuids names {counted(len(uuids), 'data volume', 'data volumes')}, and the "
            f"global config kvm dataVolume.maxNum allows {most}"
        )
    return [enabled_disk_offering(tx, uuid) for uuid in uuids]


def _zone(tx: Transaction, request: CreateVmInstance, networks: list[L3Network]) -> str:
    zone_uuid = check_zone({network.zone_uuid for network in networks}, "the L3 networks")
    if request.zone_uuid not in (None, zone_uuid):
        raise InvalidArgument(f"the L3 networks are not in zoneUuid[{request.zone_uuid}]")
    if tx.get(Zone, zone_uuid).state != "Enabled":
        raise OperationFailed(f"zone[uuid:{zone_uuid}] is Disabled")
    return zone_uuid


def _next_internal_id(tx: Transaction) -> int:
    """Names the VM's taps. It never comes back while a VM has it, and fits a tap's name."""
    return tx.largest(VmInstance, "internal_id") + 1


def _root_disk(tx: Transaction, request: CreateVmInstance) -> DiskOffering | None:
    """The size of the root volume of a VM that is made from an ISO."""
    uuid = request.root_disk_offering_uuid
    return enabled_disk_offering(tx, uuid) if uuid is not None else None


def _root_volume(
    tx: Transaction,
    vm: VmInstance,
    image: Image,
    disk: DiskOffering | None,
    host_uuid: str,
    storage_uuid: str,
) -> Volume:
    uuid = tx.new_uuid()
    storage = tx.get(PrimaryStorage, storage_uuid)
    volume = tx.insert(
        Volume(
            uuid=uuid,
            name=f"ROOT-for-{vm.name}",
            description=f"Root volume for VM[uuid:{vm.uuid}]",
            primary_storage_uuid=storage_uuid,
            vm_instance_uuid=vm.uuid,
            disk_offering_uuid=disk.uuid if disk is not None else None,
            root_image_uuid=image.uuid if disk is None else None,
            install_path=naming.root_volume(storage.url, tx.owner_of(vm.uuid), uuid),
            type="Root",
            format=FORMAT if image.format == FORMAT else "qcow2",
            size=whole_sectors(disk.disk_size) if disk is not None else image.size,
            device_id=0,
            host_uuid=host_uuid,
        )
    )
    keep_volume(tx, volume)
    return volume


def _data_volume(
    tx: Transaction, vm: VmInstance, offering: DiskOffering, device_id: int, storage_uuid: str
) -> Volume:
    """A data volume that the VM is made with, beside its root volume."""
    volume = tx.insert(
        Volume(
            uuid=tx.new_uuid(),
            name=f"DATA-for-{vm.name}",
            description=f"DataVolume-{vm.uuid}",
            vm_instance_uuid=vm.uuid,
            disk_offering_uuid=offering.uuid,
            type="Data",
            size=whole_sectors(offering.disk_size),
            device_id=device_id,
            attachment="attaching",
        )
    )
    return put_on(tx, volume, vm, storage_uuid)
