"""What a host says of itself, as the tags that ZStack's programs read it from."""

from __future__ import annotations

import re

from agent.protocol import HostFacts
from appliance.api.host import Host
from appliance.api.tag import SystemTag
from appliance.reconcile.inherent_tags import set_inherent_tag
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

LIBVIRT = "libvirt::version::"
QEMU_IMG = "qemu-img::version::"

LIVE_SNAPSHOT = ((1, 0, 0), (1, 3, 0))
"""The libvirt and the QEMU from which on a running VM's disks can be snapshotted."""

VIRTIO_SCSI = (1, 0, 4)
"""The libvirt from which on disks can be on virtio-scsi."""

_SHOWN = re.compile(r"[\w .+~/()-]{1,100}")


def put_host_tags(tx: Transaction, host: Host, facts: HostFacts) -> None:
    """Let a host's tags be what it says now. What it could not learn this time stays as it was."""
    _put(tx, host, "os::distribution::", facts.distribution)
    _put(tx, host, "os::release::", facts.codename or facts.release)
    _put(tx, host, "os::version::", facts.release)
    _put(tx, host, QEMU_IMG, facts.qemu_img_version)
    set_inherent_tag(tx, host, "hvm::", facts.hvm if facts.hvm in ("vmx", "svm") else None)
    put_libvirt_tag(tx, host, facts.libvirt_version)


def put_libvirt_tag(tx: Transaction, host: Host, text: str) -> None:
    """Let a host's tags name the libvirt that it has now, and what it can do with that."""
    _put(tx, host, LIBVIRT, text)
    libvirt, qemu = _said(tx, host, LIBVIRT), _said(tx, host, QEMU_IMG)
    if libvirt is not None:
        _can(tx, host, "virtio-scsi", libvirt >= VIRTIO_SCSI)
    if libvirt is not None and qemu is not None:
        _can(tx, host, "liveSnapshot", libvirt >= LIVE_SNAPSHOT[0] and qemu >= LIVE_SNAPSHOT[1])


def version(text: str) -> tuple[int, ...] | None:
    """The numbers of a version such as 9.0.0; None when it is none."""
    found = re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9}){0,5}", text)
    return tuple(int(each) for each in text.split(".")) if found else None


def _put(tx: Transaction, host: Host, start: str, text: str) -> None:
    if _SHOWN.fullmatch(text):
        set_inherent_tag(tx, host, start, text)


def _said(snapshot: Snapshot, host: Host, start: str) -> tuple[int, ...] | None:
    tags = (tag.tag for tag in snapshot.all(SystemTag, resource_uuid=host.uuid))
    return next((version(tag.removeprefix(start)) for tag in tags if tag.startswith(start)), None)


def _can(tx: Transaction, host: Host, what: str, can: bool) -> None:
    set_inherent_tag(tx, host, f"capability:{what}", "" if can else None)
