"""What a host does with the data volumes of a domain: plugged, unplugged and grown, running or not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from agent.protocol import (
    DefineDomain,
    DestroyDomain,
    DiskSpec,
    DomainSeen,
    DomainSpec,
    DropFile,
    GrowVolume,
    ObserveVm,
    StartDomain,
    VmSeen,
    digest,
    serial_of,
)
from tests.contract.peer import Peer
from tests.contract.rig import Outside, Rig
from tests.contract.test_things import SIZE, VM, cleared, domain, ready, tell, volume

ROOT = "a" * 32
DATA = "d" * 31 + "1"


def path_of(rig: Rig, uuid: str) -> str:
    return f"{rig.storage}/vol-{uuid}/{uuid}.qcow2"


def spec(rig: Rig, *data: str) -> DomainSpec:
    """A domain with a root volume and these besides."""
    disks = [
        DiskSpec(volume_uuid=uuid, path=path_of(rig, uuid), format="qcow2", device_id=place)
        for place, uuid in enumerate((ROOT, *data))
    ]
    return domain(rig, disks=disks)


async def with_files(rig: Rig) -> Peer:
    peer = await ready(rig)
    for uuid in (ROOT, DATA):
        await tell(peer, volume(rig, volume_uuid=uuid, path=path_of(rig, uuid)))
    return peer


@pytest.fixture
async def built(rig: Rig) -> AsyncIterator[Peer]:
    """A host with everything that a domain needs, and nothing of it afterwards."""
    yield await with_files(rig)
    await cleared(await rig.peer())


async def disks(peer: Peer) -> list[str] | None:
    return (await peer.told(ObserveVm(vm_uuid=VM), VmSeen)).disks


async def size(peer: Peer, path: str) -> int:
    return (await peer.told(ObserveVm(vm_uuid=VM, volume_paths=[path]), VmSeen)).volumes[path]


async def test_a_volume_is_plugged_into_a_running_domain_and_there_at_its_next_start(
    rig: Rig, built: Peer
) -> None:
    peer = built
    await tell(peer, DefineDomain(spec=spec(rig)))
    assert await disks(peer) is None
    await tell(peer, StartDomain(vm_uuid=VM))
    assert await disks(peer) == [serial_of(ROOT)]
    more = DefineDomain(spec=spec(rig, DATA))
    for _ in range(2):
        seen = await peer.told(more, DomainSeen)
        assert (seen.digest, seen.power) == (digest(more.spec), "on")
        assert await disks(peer) == [serial_of(ROOT), serial_of(DATA)]
    await tell(peer, DestroyDomain(vm_uuid=VM))
    assert await disks(peer) is None
    await tell(peer, StartDomain(vm_uuid=VM))
    assert await disks(peer) == [serial_of(ROOT), serial_of(DATA)]


async def test_a_volume_is_unplugged_from_a_running_domain(obliging: Rig) -> None:
    peer = await with_files(obliging)
    await tell(peer, DefineDomain(spec=spec(obliging, DATA)), StartDomain(vm_uuid=VM))
    for _ in range(2):
        seen = await peer.told(DefineDomain(spec=spec(obliging)), DomainSeen)
        assert (seen.digest, seen.power) == (digest(spec(obliging)), "on")
        assert await disks(peer) == [serial_of(ROOT)]
    await tell(peer, DropFile(path=path_of(obliging, DATA)))
    await cleared(peer)


async def test_a_guest_that_does_not_let_go_keeps_its_volume(outside: Outside) -> None:
    peer = await with_files(outside)
    await tell(peer, DefineDomain(spec=spec(outside, DATA)), StartDomain(vm_uuid=VM))
    outside.cling(VM)
    less = DefineDomain(spec=spec(outside), unplug_seconds=0.5)
    assert await peer.code(less) == "disk.in_use"
    seen = await peer.told(ObserveVm(vm_uuid=VM), VmSeen)
    assert (seen.disks, seen.domain.digest) == (
        [serial_of(ROOT), serial_of(DATA)], digest(spec(outside, DATA)),
    )  # fmt: skip
    await tell(peer, DestroyDomain(vm_uuid=VM), less, StartDomain(vm_uuid=VM))
    assert await disks(peer) == [serial_of(ROOT)]
    await cleared(peer)


async def test_a_volume_grows_at_rest_and_under_its_guest_and_never_shrinks(rig: Rig, built: Peer) -> None:
    peer, path = built, path_of(rig, DATA)
    grow = GrowVolume(volume_uuid=DATA, path=path, size_bytes=2 * SIZE)
    await tell(peer, grow, grow)
    assert await size(peer, path) == 2 * SIZE
    await tell(peer, DefineDomain(spec=spec(rig, DATA)), StartDomain(vm_uuid=VM))
    larger = replace(grow, size_bytes=3 * SIZE, vm_uuid=VM)
    await tell(peer, larger, larger)
    assert await size(peer, path) == 3 * SIZE
    assert await peer.code(grow) == "volume.larger"
    assert await peer.code(replace(grow, size_bytes=513)) == "volume.size"
    assert await peer.code(replace(grow, path=path + "x")) == "file.missing"
    assert await peer.code(replace(grow, path="/etc/shadow")) == "path.outside"
    assert await size(peer, path) == 3 * SIZE
