"""Names on a host: each a function of uuids, with no table to look up."""

from __future__ import annotations

import hashlib
import ipaddress
import re

_LABEL = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
_DOMAIN_LENGTH = 253
_SALTED = 1 << 31
"""Set in every salt: no address is one of those that were made of the number alone, which stores may hold."""


def bridge(physical_interface: str, vlan: int | None) -> str:
    """The bridge of an L2 network, as ZStack names it, within the kernel's 15 characters."""
    suffix = f"_{vlan}" if vlan is not None else ""
    return f"br_{physical_interface}"[: 15 - len(suffix)] + suffix


def tap(internal_id: int, device_id: int) -> str:
    """The tap of a NIC."""
    return f"vnic{internal_id}.{device_id}"


def mac(owner: str, internal_id: int, device_id: int) -> str:
    """A hardware address as ZStack makes it: `fa`, four octets of the VM, one of the NIC.

    The VM's number is mixed with the uuid of the store that it is in: each number of one store gives another
    address, and two appliances that share a wire, which both count from 1, give different ones.
    """
    salt = int.from_bytes(hashlib.sha256(owner.encode()).digest()[:4], "big")
    octets = (internal_id ^ (salt | _SALTED)).to_bytes(4, "big")
    return "fa:" + ":".join(f"{octet:02x}" for octet in octets) + f":{device_id:02x}"


def root_volume(storage: str, account_uuid: str, uuid: str) -> str:
    """The file of an account's root volume on a primary storage mounted at `storage`."""
    return f"{storage.rstrip('/')}/rootVolumes/acct-{account_uuid}/vol-{uuid}/{uuid}.qcow2"


def data_volume(storage: str, account_uuid: str, uuid: str) -> str:
    """The file of an account's data volume on a primary storage mounted at `storage`."""
    return f"{storage.rstrip('/')}/dataVolumes/acct-{account_uuid}/vol-{uuid}/{uuid}.qcow2"


def cached_image(storage: str, image_uuid: str, image_format: str) -> str:
    """The host's copy of an image."""
    kind, ending = ("iso", "iso") if image_format == "iso" else ("template", image_format)
    return f"{storage.rstrip('/')}/imagecache/{kind}/{image_uuid}/{image_uuid}.{ending}"


def stored_image(
    storage: str,
    account_uuid: str,
    image_uuid: str,
    image_format: str,
    media_type: str = "RootVolumeTemplate",
) -> str:
    """The file of an account's new image on a backup storage, in the folder of what it is made for."""
    kind = "dataVolumeTemplates" if media_type == "DataVolumeTemplate" else "rootVolumeTemplates"
    kind = "iso" if image_format == "iso" else kind
    return f"{storage.rstrip('/')}/{kind}/acct-{account_uuid}/{image_uuid}/{image_uuid}.{image_format}"


def uploaded_image(install_path: str, source_format: str | None) -> str:
    """Where the bytes of an image are sent to: its place, or beside that when it is made of them."""
    return f"{install_path}.{source_format}" if source_format else install_path


def flat_volume(storage: str, image_uuid: str) -> str:
    """Where an image is made of a volume on its host, before it is carried to backup storage."""
    return f"{storage.rstrip('/')}/templateWorkspace/image-{image_uuid}/{image_uuid}.qcow2"


def serial_log(vm_uuid: str) -> str:
    """Where a VM's serial console is logged on its host."""
    return f"/var/log/libvirt/qemu/{vm_uuid}-serial.log"


def host_label(name: str, ip: str | None) -> str:
    """A host name for a guest: its VM's name where that can be one, else its address with dashes."""
    label = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:63].strip("-")
    if label and name.isascii():
        return label
    return f"vm-{ip.replace('.', '-')}" if ip else "vm"


def is_domain_name(text: str) -> bool:
    """Whether a text is labels of letters, digits and inner dashes, with single dots between (one may end it)."""
    labels = text.removesuffix(".").split(".")
    return len(text) <= _DOMAIN_LENGTH and all(_LABEL.fullmatch(label) for label in labels)


def is_address(text: str) -> bool:
    """Whether a text is an IP address, which no name server can bend."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
