"""What a host keeps of a domain that libvirt has forgotten: its logs, until it is told to drop them."""

from __future__ import annotations

from agent.protocol import (
    DefineDomain,
    DestroyDomain,
    DropTraces,
    KeepSerialHistory,
    ObserveVm,
    ReadSerialHistory,
    SerialHistory,
    StartDomain,
    UndefineDomain,
    VmSeen,
)
from appliance.plans.naming import serial_log
from tests.contract.peer import Peer
from tests.contract.rig import Outside, Rig
from tests.contract.test_things import VM, built, cleared, domain, ready, tell

__all__ = ["built"]


async def leaves(peer: Peer) -> bool:
    return (await peer.told(ObserveVm(vm_uuid=VM), VmSeen)).traces


async def test_the_logs_of_a_domain_are_kept_until_it_is_forgotten_and_they_are_dropped(
    outside: Outside,
) -> None:
    peer = await ready(outside)
    await tell(peer, DefineDomain(spec=domain(outside)), StartDomain(vm_uuid=VM))
    await tell(peer, DestroyDomain(vm_uuid=VM))
    assert not await leaves(peer)  # it is there still
    assert await peer.code(DropTraces(vm_uuid=VM)) == "domain.defined"
    await tell(peer, UndefineDomain(vm_uuid=VM))
    assert await leaves(peer)
    for _ in range(2):
        await tell(peer, DropTraces(vm_uuid=VM))
        assert not await leaves(peer)
    await cleared(peer)


async def test_a_domain_that_is_not_known_has_none_and_a_known_one_keeps_them(rig: Rig, built: Peer) -> None:
    await tell(built, DefineDomain(spec=domain(rig)))
    assert await built.code(DropTraces(vm_uuid=VM)) == "domain.defined"
    await tell(built, UndefineDomain(vm_uuid=VM), DropTraces(vm_uuid=VM))
    assert not await leaves(built)


async def test_what_a_guest_wrote_elsewhere_is_kept_once_and_goes_with_its_logs(outside: Outside) -> None:
    peer = await ready(outside)

    async def said() -> bytes:
        return (await peer.told(ReadSerialHistory(vm_uuid=VM), SerialHistory)).data

    await tell(peer, KeepSerialHistory(vm_uuid=VM, data=b"nobody\n"))
    assert await said() == b""  # it was never here
    await tell(peer, DefineDomain(spec=domain(outside, serial_log=serial_log(VM))), StartDomain(vm_uuid=VM))
    for data in (b"before\n", b"again\n"):
        await tell(peer, KeepSerialHistory(vm_uuid=VM, data=data))
        assert (await said()).startswith(b"before\n")
    await tell(peer, DestroyDomain(vm_uuid=VM), UndefineDomain(vm_uuid=VM))
    assert (await said()).startswith(b"before\n")
    await tell(peer, DropTraces(vm_uuid=VM))
    assert await said() == b""
    await cleared(peer)
