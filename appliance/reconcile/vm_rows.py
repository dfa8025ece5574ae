"""Everything about a VM, read in one snapshot, as the plan needs it."""

from __future__ import annotations

from dataclasses import replace

from appliance.api.host import Host
from appliance.api.image import Image
from appliance.api.l2 import L2Network
from appliance.api.l3 import IpRange, L3Network, L3NetworkDns
from appliance.api.service import NetworkServiceL3NetworkRef
from appliance.api.storage import PrimaryStorage
from appliance.api.tag import SystemTag
from appliance.api.vm import VmInstance, VmNic
from appliance.api.volume import Volume
from appliance.plans import naming
from appliance.plans.boot import Medium, iso_uuid
from appliance.plans.vm import VmIntent
from appliance.plans.vm_spec import (
    NetworkRows,
    VmRows,
    bridge_spec,
    domain_spec,
    network_spec,
    nic_spec,
)
from appliance.plans.volume import VolumeIntent
from appliance.reconcile.vm_volume import HELD, data_volumes
from appliance.reconcile.volume_rows import volume_intent
from appliance.store.snapshot import Snapshot


def network_rows(snapshot: Snapshot, l3_uuid: str) -> NetworkRows:
    """An L3 network with all that its NICs depend on."""
    l3 = snapshot.get(L3Network, l3_uuid)
    return NetworkRows(
        l3=l3,
        l2=snapshot.get(L2Network, l3.l2_network_uuid),
        ranges=tuple(snapshot.all(IpRange, l3_network_uuid=l3_uuid, order_by="create_date")),
        dns=tuple(row.dns for row in snapshot.all(L3NetworkDns, l3_network_uuid=l3_uuid, order_by="rowid")),
        services=frozenset(
            ref.network_service_type
            for ref in snapshot.all(NetworkServiceL3NetworkRef, l3_network_uuid=l3_uuid)
        ),
        lease_seconds=int(snapshot.setting("flatNetwork", "leaseSeconds")),
    )


def vm_rows(snapshot: Snapshot, vm: VmInstance, host: Host | None) -> VmRows:
    """A VM with all that its specs depend on."""
    found = snapshot.all(VmNic, vm_instance_uuid=vm.uuid, order_by="device_id")
    nics = tuple(nic for nic in found if nic.intended == "Present")
    root = snapshot.find(Volume, vm.root_volume_uuid) if vm.root_volume_uuid else None
    tags = tuple(tag.tag for tag in snapshot.all(SystemTag, resource_uuid=vm.uuid, order_by="create_date"))
    storage = (
        snapshot.find(PrimaryStorage, root.primary_storage_uuid)
        if root and root.primary_storage_uuid
        else None
    )
    image = snapshot.find(Image, vm.image_uuid)
    ending = vm.intended in {"Destroyed", "Absent"}
    volumes = data_volumes(snapshot, vm)
    held = tuple(volume for volume in volumes if volume.attachment in HELD)
    unmade = [volume for volume in volumes if volume.whole_size is None and (ending or volume not in held)]
    return VmRows(
        vm=vm,
        root=root,
        nics=nics,
        leaving=tuple(nic.uuid for nic in found if nic.intended == "Absent"),
        networks={nic.l3_network_uuid: network_rows(snapshot, nic.l3_network_uuid) for nic in nics},
        tags=tags,
        accelerator=(host.accelerator if host else None) or "tcg",
        console_mode=snapshot.setting("kvm", "vm.consoleMode"),
        console_guarded=snapshot.setting("kvm", "vm.consolePassword") == "true",
        cpu_mode=snapshot.setting("kvm", "vm.cpuMode"),
        cache_mode=snapshot.setting("kvm", "vm.cacheMode"),
        management_ip=host.management_ip if host else "127.0.0.1",
        root_intent=_root_intent(snapshot, root),
        letting_go=len(held) < len(volumes),
        data=held,
        intents=tuple(each for volume in held if (each := volume_intent(snapshot, volume)) is not None),
        dropped=tuple(volume.install_path for volume in unmade if volume.install_path is not None),
        medium=_medium(snapshot, tags, storage),
        from_iso=image is not None and image.media_type == "ISO",
    )


def _medium(snapshot: Snapshot, tags: tuple[str, ...], storage: PrimaryStorage | None) -> Medium | None:
    """What is in the CD-ROM drive, also when the image is gone and hosts have copies of it still."""
    uuid = iso_uuid(tags)
    if uuid is None or storage is None:
        return None
    image = snapshot.find(Image, uuid)
    return Medium(uuid, naming.cached_image(storage.url, uuid, image.format if image is not None else "iso"))


def vm_intent(rows: VmRows) -> VmIntent:
    """What should be on the VM's host."""
    vm = rows.vm
    networks = list(rows.networks.values())
    specs = (nic_spec(rows, nic) for nic in rows.nics)
    return VmIntent(
        vm_uuid=vm.uuid,
        intended=vm.intended,
        spec=domain_spec(rows) if vm.intended == "Running" else None,
        volume=rows.root_intent.volume if rows.root_intent is not None else None,
        image_uuid=vm.image_uuid,
        bridges=tuple({network.l2.uuid: bridge_spec(network) for network in networks}.values()),
        networks=tuple(spec for network in networks if (spec := network_spec(network)) is not None),
        nics=tuple(spec for spec in specs if spec is not None),
        nic_uuids=(*(nic.uuid for nic in rows.nics), *rows.leaving),
        leaving=rows.leaving,
        root=rows.root_intent,
        resting=domain_spec(rows) if vm.intended == "Stopped" and _other_files(rows) else None,
        data=rows.intents,
        dropped=rows.dropped,
        boot_count=vm.boot_count,
        stop_deadline=vm.stop_deadline,
        created=vm.created,
        medium=rows.medium,
        boot_once=rows.from_iso and not vm.created,
    )


def _other_files(rows: VmRows) -> bool:
    """Whether a volume of a VM is getting other files, or leaves."""
    return rows.letting_go or any(
        volume is not None and volume.chain_changes for volume in (rows.root, *rows.data)
    )


def _root_intent(snapshot: Snapshot, root: Volume | None) -> VolumeIntent | None:
    """The root volume with its snapshots; the VM's plan makes its file."""
    intent = volume_intent(snapshot, root) if root is not None else None
    return replace(intent, whole=True) if intent is not None else None
