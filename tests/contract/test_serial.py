"""A guest's serial console: doors, each for one who has its key; what is typed; how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from agent.protocol import (
    DefineDomain,
    DestroyDomain,
    DomainSeen,
    OpenSerial,
    SerialDoor,
    SerialFrame,
    SerialFrames,
    StartDomain,
)
from appliance.hosts.link import Pipe
from tests.contract.peer import PATIENCE_SECONDS, Peer
from tests.contract.rig import Rig
from tests.contract.test_things import VM, cleared, domain, ready


@pytest.fixture
async def running(obliging: Rig) -> AsyncIterator[Peer]:
    """A host with a domain that runs."""
    peer = await ready(obliging)
    await peer.told(
        DefineDomain(spec=domain(obliging, serial_log=f"{obliging.storage}/serial.log")), DomainSeen
    )
    await peer.told(StartDomain(vm_uuid=VM), DomainSeen)
    yield peer
    await cleared(await obliging.peer())


class Viewer:
    """Somebody at a door."""

    def __init__(self, pipe: Pipe) -> None:
        self.pipe = pipe
        self.text = b""
        self._frames = SerialFrames()

    async def until(self, holds: Callable[[SerialFrame], bool]) -> SerialFrame | None:
        """The first frame of which something holds; None when the stream ends without."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while data := await self.pipe.read():
                for frame in self._frames.feed(data):
                    self.text += frame.body if frame.kind == "data" else b""
                    if holds(frame):
                        return frame
        return None

    async def shows(self, text: bytes) -> bool:
        """Whether something comes to be shown."""
        return await self.until(lambda _: text in self.text) is not None


async def viewer(rig: Rig, peer: Peer) -> Viewer:
    door = await peer.told(OpenSerial(vm_uuid=VM), SerialDoor)
    pipe = await rig.door(door.port)
    pipe.write(f"{door.key}\n".encode())
    return Viewer(pipe)


async def test_what_is_typed_reaches_the_guest_and_all_see_what_it_says(obliging: Rig, running: Peer) -> None:
    one = await viewer(obliging, running)
    one.pipe.write(b"from one\r")
    assert await one.shows(b"from one\r")
    two = await viewer(obliging, running)
    assert await two.shows(b"from one\r"), "what was before comes first"
    two.pipe.write(b"from two\r")
    assert await one.shows(b"from two\r")
    one.pipe.close()
    two.pipe.write(b"still\r")
    assert await two.shows(b"still\r"), "who leaves takes nothing along"
    two.pipe.close()


async def test_the_line_is_free_when_the_last_has_left(obliging: Rig, running: Peer) -> None:
    for _ in range(3):
        there = await viewer(obliging, running)
        there.pipe.write(b"again\r")
        assert await there.shows(b"again\r")
        there.pipe.close()


async def test_it_ends_with_its_guest(obliging: Rig, running: Peer) -> None:
    there = await viewer(obliging, running)
    there.pipe.write(b"halt\r")
    assert await there.shows(b"halt\r")
    await running.told(DestroyDomain(vm_uuid=VM), DomainSeen)
    end = await there.until(lambda frame: frame.kind == "end")
    assert end is not None
    assert end.body.split()[0] == b"domain.off"
    assert await there.until(lambda _: True) is None
    there.pipe.close()


async def test_a_door_opens_for_its_key_only_and_once(obliging: Rig, running: Peer) -> None:
    door = await running.told(OpenSerial(vm_uuid=VM), SerialDoor)
    other = await running.told(OpenSerial(vm_uuid=VM), SerialDoor)
    pipe = await obliging.door(door.port)
    pipe.write(f"{other.key}\n".encode())
    assert await Viewer(pipe).until(lambda _: True) is None
    pipe.close()
    with pytest.raises(ConnectionError):
        await obliging.door(door.port)


async def test_a_domain_that_is_off_or_unknown_has_no_door(obliging: Rig, running: Peer) -> None:
    await running.told(DestroyDomain(vm_uuid=VM), DomainSeen)
    assert await running.code(OpenSerial(vm_uuid=VM)) == "domain.off"
    assert await running.code(OpenSerial(vm_uuid="0" * 32)) == "domain.missing"
