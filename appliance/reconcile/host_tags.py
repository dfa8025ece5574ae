"""What a host says of itself, as the tags that ZStack's programs read it from."""

from __future__ import annotations

import re

from agent.protocol import HostFacts
from appliance.api.host import Host
from appliance.reconcile.inherent_tags import set_inherent_tag
from appliance.store.transaction import Transaction

LIVE_SNAPSHOT = ((1, 0, 0), (1, 3, 0))
"""The libvirt and the QEMU from which on a running VM's disks can be snapshotted."""

VIRTIO_SCSI = (1, 0, 4)
"""The libvirt from which on disks can be on virtio-scsi."""

_SHOWN = re.compile(r"[\w .+~/()-]{1,100}")


def put_host_tags(tx: Transaction, host: Host, facts: HostFacts) -> None:
    """Let a host's tags be what it says now. What it could not learn this time stays as it was."""
    said = {
        "os::distribution::": facts.distribution,
        "os::release::": facts.codename or facts.release,
        "os::version::": facts.release,
        "qemu-img::version::": facts.qemu_img_version,
        "libvirt::version::": facts.libvirt_version,
    }
    for start, value in said.items():
        if _SHOWN.fullmatch(value):
            set_inherent_tag(tx, host, start, value)
    set_inherent_tag(tx, host, "hvm::", facts.hvm if facts.hvm in ("vmx", "svm") else None)
    libvirt, qemu = version(facts.libvirt_version), version(facts.qemu_version)
    if libvirt is not None:
        _can(tx, host, "virtio-scsi", libvirt >= VIRTIO_SCSI)
    if libvirt is not None and qemu is not None:
        _can(tx, host, "liveSnapshot", libvirt >= LIVE_SNAPSHOT[0] and qemu >= LIVE_SNAPSHOT[1])


def version(text: str) -> tuple[int, ...] | None:
    """The numbers of a version such as 9.0.0; None when it is none."""
    found = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){0,5}", text)
    return tuple(int(each) for each in text.split(".")) if found else None


def _can(tx: Transaction, host: Host, what: str, can: bool) -> None:
    set_inherent_tag(tx, host, f"capability:{what}", "" if can else None)
