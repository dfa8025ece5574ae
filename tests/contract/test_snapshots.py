"""What a host does with chains of files: a new one on top, at rest and under a guest, and merged again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agent.protocol import (
    DefineDomain,
    DestroyDomain,
    DropFile,
    EnsureOverlay,
    FlattenVolume,
    ObserveVm,
    OverlayMade,
    RebaseVolume,
    StartDomain,
    VmSeen,
    serial_of,
)
from tests.contract.peer import Peer
from tests.contract.rig import Rig
from tests.contract.test_disks import DATA, built, path_of, spec
from tests.contract.test_things import SIZE, VM, tell

__all__ = ["built"]


def over(rig: Rig, number: int, **changes: object) -> EnsureOverlay:
    below = path_of(rig, DATA) if number == 1 else top(rig, number - 1)
    made = EnsureOverlay(volume_uuid=DATA, path=top(rig, number), backing=below, size_bytes=SIZE)
    return replace(made, **changes)


def top(rig: Rig, number: int) -> str:
    return f"{rig.storage}/vol-{DATA}/snapshots/{number}.qcow2"


async def seen(peer: Peer, rig: Rig) -> VmSeen:
    paths = [path_of(rig, DATA), *(top(rig, number) for number in range(1, 4))]
    return await peer.told(ObserveVm(vm_uuid=VM, volume_paths=paths), VmSeen)


async def dropped(peer: Peer, rig: Rig) -> None:
    await tell(peer, *(DropFile(path=top(rig, number)) for number in range(1, 4)))


async def test_a_chain_grows_at_rest_and_is_merged(rig: Rig, built: Peer) -> None:
    peer = built
    for _ in range(2):
        assert (await peer.told(over(rig, 1), OverlayMade)).backing_bytes > 0
    await tell(peer, over(rig, 2))
    now = await seen(peer, rig)
    base = path_of(rig, DATA)
    assert now.volumes == {base: SIZE, top(rig, 1): SIZE, top(rig, 2): SIZE}
    assert now.backings == {top(rig, 1): base, top(rig, 2): top(rig, 1)}
    rebase = RebaseVolume(volume_uuid=DATA, path=top(rig, 2), backing=base)
    await tell(peer, rebase, rebase)
    assert (await seen(peer, rig)).backings == {top(rig, 1): base, top(rig, 2): base}
    await tell(peer, replace(rebase, backing=None))
    assert (await seen(peer, rig)).backings == {top(rig, 1): base}
    await dropped(peer, rig)


@pytest.mark.parametrize("to", ["base", "nothing"])
async def test_a_guest_writes_to_the_new_file_and_is_merged_while_it_runs(
    rig: Rig, built: Peer, to: str
) -> None:
    peer, base = built, path_of(rig, DATA)
    await tell(peer, DefineDomain(spec=spec(rig, DATA)), StartDomain(vm_uuid=VM))
    assert (await seen(peer, rig)).writes[serial_of(DATA)] == base
    for number in (1, 2):
        for _ in range(2):
            await tell(peer, over(rig, number, vm_uuid=VM))
            assert (await seen(peer, rig)).writes[serial_of(DATA)] == top(rig, number)
    rebase = RebaseVolume(
        volume_uuid=DATA, path=top(rig, 2), backing=base if to == "base" else None, vm_uuid=VM
    )
    await tell(peer, rebase, rebase)
    now = await seen(peer, rig)
    assert now.writes[serial_of(DATA)] == top(rig, 2)
    assert now.backings.get(top(rig, 2)) == rebase.backing
    await tell(peer, DestroyDomain(vm_uuid=VM))
    assert (await seen(peer, rig)).writes == {}
    await dropped(peer, rig)


async def test_what_is_no_chain_is_refused(rig: Rig, built: Peer) -> None:
    peer = built
    await tell(peer, over(rig, 1), over(rig, 2))
    assert await peer.code(over(rig, 2, backing=path_of(rig, DATA))) == "volume.other_backing"
    assert await peer.code(over(rig, 3, backing=top(rig, 3) + "x")) == "file.missing"
    assert await peer.code(over(rig, 3, size_bytes=7)) == "volume.size"
    for path in ("/etc/shadow", f"{rig.storage}/../x"):
        code = "path.outside" if path == "/etc/shadow" else "path.bad"
        assert await peer.code(over(rig, 3, path=path)) == code
        assert await peer.code(RebaseVolume(volume_uuid=DATA, path=path)) == code
        assert await peer.code(RebaseVolume(volume_uuid=DATA, path=top(rig, 2), backing=path)) == code
    await dropped(peer, rig)


async def test_a_chain_is_made_flat_once_and_what_it_is_made_of_stays(rig: Rig, built: Peer) -> None:
    peer, flat = built, f"{rig.storage}/made/flat.qcow2"
    await tell(peer, over(rig, 1), over(rig, 2))
    before = await seen(peer, rig)
    request = FlattenVolume(path=flat, source=top(rig, 2))
    await tell(peer, request, request)
    after = await seen(peer, rig)
    assert (after.volumes, after.backings) == (before.volumes, before.backings)
    made = await peer.told(ObserveVm(vm_uuid=VM, volume_paths=[flat]), VmSeen)
    assert (made.volumes, made.backings) == ({flat: SIZE}, {})
    assert await peer.code(replace(request, path=flat + "x", source=top(rig, 3))) == "file.missing"
    assert await peer.code(replace(request, path="/etc/shadow")) == "path.outside"
    assert await peer.code(replace(request, path=flat + "x", source="/etc/shadow")) == "path.outside"
    assert flat + "x" not in rig.files()
    await tell(peer, DropFile(path=flat), DropFile(path=flat))
    await dropped(peer, rig)
