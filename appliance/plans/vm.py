"""The whole life of a VM as one function: what is left to do for what is intended, given what is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.protocol import (
    DefineDomain,
    DestroyDomain,
    DomainSpec,
    DropFile,
    DropNic,
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
)
from appliance.plans.step import Ask, CopyImage, Step, Wait

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
    """The path of the root volume of a VM that was whole and is to run, when that is not where it was."""
    volume = intent.volume
    if volume is None or not intent.created or intent.intended != "Running" or seen.domain.power != "off":
        return None
    return None if volume.path in seen.volumes else volume.path


def _running(intent: VmIntent, seen: VmSeen) -> Iterator[Step]:
    volume, spec = intent.volume, intent.spec
    if volume is not None and volume.path not in seen.volumes:
        if volume.backing is not None and volume.backing not in seen.cached:
            yield CopyImage("copy image to host", intent.image_uuid, volume.backing)
        yield Ask("create root volume", volume)
    yield from _networks(intent, seen)
    if spec is not None and seen.domain.power == "off":
        if seen.domain.digest != digest(spec) or seen.domain.boot_count != intent.boot_count:
            yield Ask("define domain", DefineDomain(spec=spec, boot_count=intent.boot_count))
        yield Ask("start", StartDomain(vm_uuid=intent.vm_uuid))
        return
    if spec is not None and seen.plugged not in (None, sorted(nic.device for nic in spec.nics)):
        yield Ask("change NICs", DefineDomain(spec=spec, boot_count=intent.boot_count), PLUG_SECONDS)
    yield from _left(intent, seen)
    if seen.domain.boot_count < intent.boot_count:
        request = RebootDomain(
            vm_uuid=intent.vm_uuid, boot_count=intent.boot_count, grace_seconds=REBOOT_GRACE_SECONDS
        )
        yield Ask("reboot", request, seconds=REBOOT_GRACE_SECONDS + 30)


def _left(intent: VmIntent, seen: VmSeen) -> Iterator[Step]:
    """NICs that no domain has any more."""
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


def _networks(intent: VmIntent, seen: VmSeen) -> Iterator[Step]:
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
        yield from _left(intent, seen)
        return
    if intent.stop_deadline is not None and now < intent.stop_deadline:
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
    if not keep_volume:
        for path in sorted(seen.volumes):
            yield Ask("delete root volume", DropFile(path=path))
