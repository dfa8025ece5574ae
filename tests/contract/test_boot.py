"""What a host does with the CD-ROM of a domain, and with a boot order that counts once."""

from __future__ import annotations

from agent.protocol import (
    DefineDomain,
    DestroyDomain,
    DomainSeen,
    DropFile,
    ObserveVm,
    StartDomain,
    VmSeen,
    digest,
)
from tests.contract.peer import Peer
from tests.contract.rig import Rig
from tests.contract.test_things import VM, built, domain, tell, volume

__all__ = ["built"]


async def iso(peer: Peer) -> str | None:
    return (await peer.told(ObserveVm(vm_uuid=VM), VmSeen)).iso


async def test_the_medium_of_a_running_domain_is_changed_and_there_at_its_next_start(
    rig: Rig, built: Peer
) -> None:
    peer, path = built, f"{rig.storage}/imagecache/iso/i/i.iso"
    await tell(peer, volume(rig, volume_uuid="i", path=path))  # a file; what is on it is the guest's matter
    await tell(peer, DefineDomain(spec=domain(rig)))
    assert await iso(peer) is None
    await tell(peer, StartDomain(vm_uuid=VM))
    assert await iso(peer) == ""
    with_iso, without = DefineDomain(spec=domain(rig, iso=path)), DefineDomain(spec=domain(rig))
    for request, expected in ((with_iso, path), (with_iso, path), (without, ""), (with_iso, path)):
        seen = await peer.told(request, DomainSeen)
        assert (seen.digest, seen.power) == (digest(request.spec), "on")
        assert await iso(peer) == expected
    await tell(peer, DestroyDomain(vm_uuid=VM), StartDomain(vm_uuid=VM))
    assert await iso(peer) == path
    await tell(peer, DestroyDomain(vm_uuid=VM), DropFile(path=path))


async def test_a_medium_outside_of_storage_is_refused(rig: Rig, built: Peer) -> None:
    peer = built
    assert await peer.code(DefineDomain(spec=domain(rig, iso="/etc/shadow"))) == "path.outside"
    assert await peer.code(DefineDomain(spec=domain(rig, iso="relative.iso"))) == "path.bad"


async def test_a_boot_order_for_one_start_leaves_the_definition_as_it_is(rig: Rig, built: Peer) -> None:
    peer = built
    spec = domain(rig)
    await tell(peer, DefineDomain(spec=spec, boot_count=2))
    for _ in range(2):
        seen = await peer.told(StartDomain(vm_uuid=VM, boot_once=["cdrom"]), DomainSeen)
        assert (seen.power, seen.digest, seen.boot_count) == ("on", digest(spec), 2)
    off = await peer.told(DestroyDomain(vm_uuid=VM), DomainSeen)
    assert (off.power, off.digest, off.boot_count) == ("off", digest(spec), 2)
