"""The whole life of a VM as one function: what is left to do for what is intended, given what is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.protocol import (
    DefineDomain,
    DestroyDomain,
    DomainSpec,
    DropFile,
    DropNic,
    DropTraces,
    EnsureBridge,
    EnsureNetwork,
    EnsureNic,
    EnsureVolume,
    RebootDomain,
    ShutdownDomain,
    StartDomain,
    UndefineDomain,
    VmSeen,
    digest,
    serial_of,
)
from appliance.plans.boot import Medium
from appliance.plans.step import Ask, CopyImage, Step, Wait
from appliance.plans.volume import VolumeIntent, begun, made, merged

REBOOT_GRACE_SECONDS = 60.0
ASK_AGAIN_SECONDS = 10.0
"""A guest that is still booting does not hear the first time."""

PLUG_SECONDS = 120.0
"""A guest may be asked more than once to let go of each NIC."""

OFFER = "offer address and user data"


@dataclass(frozen=True)
class VmIntent:
    """What should be on the VM's host, as the specs that the host is sent."""

    vm_uuid: str
    intended: str
    spec: DomainSpec | None
    volume: EnsureVolume | None
    image_uuid: str
    bridges: tuple[EnsureBridge, ...]
    networks: tuple[EnsureNetwork, ...]
    nics: tuple[EnsureNic, ...]
    nic_uuids: tuple[str, ...]
    """All that it has or had, those that are leaving included."""
    boot_count: int
    stop_deadline: float | None
    created: bool = False
    """Whether it has ever been whole: then its root volume is not made again when it is not there."""
    leaving: tuple[str, ...] = ()
    """NICs that it had, and is to have no more."""
    root: VolumeIntent | None = None
    """Its root volume with the snapshots of that."""
    data: tuple[VolumeIntent, ...] = ()
    """The data volumes that it is to have."""
    resting: DomainSpec | None = None
    """What a domain that is off is at once defined as, when its volumes leave or get other files: it may be started."""
    dropped: tuple[str, ...] = ()
    """Files of volumes that it was to have, and that were never whole."""
    medium: Medium | None = None
    """What is to be in its CD-ROM drive."""
    boot_once: bool = False
    """Whether it boots from that this time, whatever its order says."""


def plan(intent: VmIntent, seen: VmSeen, now: float) -> list[Step]:
    """The steps left, first one first. Empty: what is intended holds."""
    match intent.intended:
        case "Running":
            return list(_running(intent, seen))
        case "Stopped":
            return list(_stopped(intent, seen, now))
        case _:
            return list(_gone(intent, seen, keep_volume=intent.intended == "Destroyed"))


def lost_volume(intent: VmIntent, seen: VmSeen) -> str | None:
    """What volume of a VM that is to run, by its path, was whole and is not where it was."""
    if intent.intended != "Running":
        return None
    volume, off = intent.volume, seen.domain.power == "off"
    fresh = intent.root is not None and intent.root.fresh
    if volume is not None and intent.created and off and not fresh and volume.path not in seen.volumes:
        return f"root volume {volume.path}"
    has = set(seen.disks or ())
    for data in intent.data:
        missing = off or serial_of(data.volume.volume_uuid) not in has
        if data.whole and not data.fresh and missing and data.volume.path not in seen.volumes:
            return f"data volume {data.volume.path}"
    return None


def _running(intent: VmIntent, seen: VmSeen) -> Iterator[Step]:
    volume, spec = intent.volume, intent.spec
    fresh = intent.root is not None and intent.root.fresh
    if volume is not None and not fresh and volume.path not in seen.volumes:
        if volume.backing is not None and volume.backing not in seen.cached:
            yield CopyImage("copy image to host", intent.image_uuid, volume.backing)
        yield Ask("create root volume", volume)
    yield from _volumes(intent, seen)
    yield from networks_left(intent, seen)
    if intent.medium is not None and intent.medium.path not in seen.cached:
        yield CopyImage("copy ISO to host", intent.medium.image_uuid, intent.medium.path)
    if spec is not None and seen.domain.power == "off":
        if seen.domain.digest != digest(spec) or seen.domain.boot_count != intent.boot_count:
            yield Ask("define domain", DefineDomain(spec=spec, boot_count=intent.boot_count))
        once: list[Literal["hd", "cdrom"]] = ["cdrom"] if intent.boot_once else []
        yield Ask("start", StartDomain(vm_uuid=intent.vm_uuid, boot_once=once))
        return
    if spec is not None and seen.plugged not in (None, sorted(nic.device for nic in spec.nics)):
        yield Ask("change NICs", DefineDomain(spec=spec, boot_count=intent.boot_count), PLUG_SECONDS)
    elif spec is not None and seen.disks is not None and _other_disks(spec, seen.disks):
        yield Ask("change volumes", DefineDomain(spec=spec, boot_count=intent.boot_count), PLUG_SECONDS)
    elif spec is not None and seen.iso is not None and seen.iso != spec.iso:
        yield Ask("change ISO", DefineDomain(spec=spec, boot_count=intent.boot_count))
    yield from _left(intent, seen)
    if seen.domain.boot_count < intent.boot_count:
        request = RebootDomain(
            vm_uuid=intent.vm_uuid, boot_count=intent.boot_count, grace_seconds=REBOOT_GRACE_SECONDS
        )
        yield Ask("reboot", request, seconds=REBOOT_GRACE_SECONDS + 30)
    yield from _merged(intent, seen)


def _volumes(intent: VmIntent, seen: VmSeen) -> Iterator[Step]:
    """The files of volumes that are to be there, and as large as they should be."""
    for volume in (*((intent.root,) if intent.root else ()), *intent.data):
        yield from made(volume, seen, vm_uuid=intent.vm_uuid)


def _merged(intent: VmIntent, seen: VmSeen) -> Iterator[Step]:
    """Snapshots that go, last of all: nothing else waits for that."""
    for volume in (*((intent.root,) if intent.root else ()), *intent.data):
        yield from merged(volume, seen, vm_uuid=intent.vm_uuid)


def _other_disks(spec: DomainSpec, has: Sequence[str]) -> bool:
    """Whether a running domain has other data volumes than it should."""
    root = {serial_of(disk.volume_uuid) for disk in spec.disks if not disk.device_id}
    wanted = {serial_of(disk.volume_uuid) for disk in spec.disks}
    return set(has) - root != wanted - root


def _left(intent: VmIntent, seen: VmSeen) -> Iterator[Step]:
    """NICs, and files of volumes, that no domain has any more."""
    yield from _dropped(intent, seen)
    for nic_uuid in intent.leaving:
        if nic_uuid in seen.nics:
            yield Ask("take back address", DropNic(nic_uuid=nic_uuid))


def outdated(intent: VmIntent, served: Callable[[str], str | None]) -> Ask | None:
    """The NIC of a settled VM that is known to be served something else: what to say needs no look first."""
    for nic in intent.nics:
        known = served(nic.nic_uuid)
        if known is not None and known != digest(nic):
            return Ask(OFFER, nic)
    return None


def begins(intent: VmIntent) -> Iterator[Ask]:
    """The new files below a running VM that its intent knows of: what to ask for needs no look first."""
    for volume in (*((intent.root,) if intent.root else ()), *intent.data):
        yield from begun(volume, vm_uuid=intent.vm_uuid)


def networks_left(intent: VmIntent, seen: VmSeen) -> Iterator[Ask]:
    """Bridges, then the networks on them, then the guarded NICs: each must stand before the next."""
    for bridge in intent.bridges:
        if seen.bridges.get(bridge.l2_uuid) != digest(bridge):
            yield Ask("make bridge", bridge)
    for network in intent.networks:
        if seen.networks.get(network.l3_uuid) != digest(network):
            yield Ask("serve network", network)
    for nic in intent.nics:
        if seen.nics.get(nic.nic_uuid) != digest(nic):
            yield Ask(OFFER, nic)


def _stopped(intent: VmIntent, seen: VmSeen, now: float) -> Iterator[Step]:
    if seen.domain.power == "off":
        yield from _volumes(intent, seen)
        resting = intent.resting
        if resting is not None and seen.domain.defined and seen.domain.digest != digest(resting):
            yield Ask("define domain", DefineDomain(spec=resting, boot_count=intent.boot_count))
        yield from _left(intent, seen)
        yield from _merged(intent, seen)
        return
    # A guest that stands still, for want of room on its host say, hears of no power button.
    if seen.domain.power == "on" and intent.stop_deadline is not None and now < intent.stop_deadline:
        if seen.domain.cause != "guest_shutdown":
            yield Ask("ask guest to power off", ShutdownDomain(vm_uuid=intent.vm_uuid))
        yield Wait("wait for guest to power off", min(intent.stop_deadline, now + ASK_AGAIN_SECONDS))
        return
    yield Ask("power off", DestroyDomain(vm_uuid=intent.vm_uuid))


def _gone(intent: VmIntent, seen: VmSeen, *, keep_volume: bool) -> Iterator[Step]:
    if seen.domain.power != "off":
        yield Ask("power off", DestroyDomain(vm_uuid=intent.vm_uuid))
    if seen.domain.defined:
        yield Ask("undefine domain", UndefineDomain(vm_uuid=intent.vm_uuid))
    for nic_uuid in intent.nic_uuids:
        if nic_uuid in seen.nics:
            yield Ask("take back address", DropNic(nic_uuid=nic_uuid))
    yield from _begun(intent, seen, root=keep_volume)
    yield from _dropped(intent, seen)
    if not keep_volume and intent.volume is not None and intent.volume.path in seen.volumes:
        yield Ask("delete root volume", DropFile(path=intent.volume.path))
    for path in () if keep_volume or intent.root is None else (*intent.root.dropped, *intent.root.beside):
        if path in seen.volumes:
            yield Ask("delete snapshot", DropFile(path=path))
    if not keep_volume and seen.traces:
        yield Ask("delete logs", DropTraces(vm_uuid=intent.vm_uuid))


def _begun(intent: VmIntent, seen: VmSeen, *, root: bool) -> Iterator[Step]:
    """The new files of volumes that outlive their VM; merges wait until somebody has the volume again."""
    for volume in (*((intent.root,) if root and intent.root else ()), *intent.data):
        if volume.fresh:
            yield from made(volume, seen, vm_uuid=intent.vm_uuid)
            yield from merged(volume, seen, vm_uuid=intent.vm_uuid)


def _dropped(intent: VmIntent, seen: VmSeen) -> Iterator[Step]:
    for path in intent.dropped:
        if path in seen.volumes:
            yield Ask("delete volume", DropFile(path=path))
