"""Doors of a lane: bytes go both ways between sockets of two hosts, and only through doors that it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from agent.lane import Lanes, free_ports
from agent.lane_doors import doors
from agent.protocol import CloseLane, OfferLane, OpenLane
from agent.refused import Refused
from tests.agent.test_lane import UUID, Ends, ends

__all__ = ["ends"]

BODY = bytes(range(256)) * 4096


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes, turned round, once it has ended; or hang up at once where that is asked for."""
    word = await reader.readexactly(4)
    if word == b"talk":
        writer.write(word)
    if word in {b"talk", b"wait"}:
        body = await reader.read()
        writer.write(body[::-1])
    writer.close()


@asynccontextmanager
async def opened(ends: Ends, tmp_path: Path) -> AsyncIterator[tuple[Path, int]]:
    """A unix socket and a port of the loopback here that lead to two servers there."""
    there = await asyncio.start_unix_server(answer, tmp_path / "there.sock")
    port_server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = str(port_server.sockets[0].getsockname()[1])
    offer = await ends.lanes.offer(OfferLane(lane_uuid=UUID, address="127.0.0.1", ports=2))
    assert len(set(offer.ports)) == 2
    await ends.other.open(
        OpenLane(
            lane_uuid=UUID, username="root", files=[], doors={"socket": str(tmp_path / "there.sock"), "port": port},
            public_key=offer.public_key, source_address=offer.source_address,
        )
    )  # fmt: skip
    places: tuple[Path, int] = tmp_path / "here.sock", free_ports(1)[0]
    command = ends.lanes.ssh(UUID, "127.0.0.1", 22, "root", "-")
    # What sshd does with the word that is asked for.
    async with doors(ends.lanes, UUID, command, {"socket": places[0], "port": places[1]}):
        yield places
    there.close()
    port_server.close()


async def ask(place: Path | int, word: bytes, body: bytes) -> bytes:
    if isinstance(place, int):
        reader, writer = await asyncio.open_connection("127.0.0.1", place)
    else:
        reader, writer = await asyncio.open_unix_connection(place)
    try:
        writer.write(word + body)
        if word == b"wait":
            writer.write_eof()
        async with asyncio.timeout(20):
            return await reader.read()
    finally:
        writer.close()


async def test_what_goes_in_comes_out_on_the_other_side_and_back(ends: Ends, tmp_path: Path) -> None:
    async with opened(ends, tmp_path) as places:
        for place in places:
            assert await ask(place, b"wait", BODY) == BODY[::-1]
        async with asyncio.TaskGroup() as at_once:
            several = [at_once.create_task(ask(places[1], b"wait", BODY)) for _ in range(3)]
        assert all(each.result() == BODY[::-1] for each in several)


async def test_who_hangs_up_there_hangs_up_here(ends: Ends, tmp_path: Path) -> None:
    async with opened(ends, tmp_path) as places:
        for place in places:
            assert await ask(place, b"gone", b"") == b""


async def test_a_closed_lane_ends_what_goes_through_its_doors(ends: Ends, tmp_path: Path) -> None:
    async with opened(ends, tmp_path) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"talk")
        assert await reader.readexactly(4) == b"talk"
        writer.write(BODY)
        await writer.drain()
        await ends.lanes.close(CloseLane(lane_uuid=UUID, username="root"))
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):  # when it had not read all of that yet
                assert await reader.read() == b""
        writer.close()


async def test_a_place_that_is_taken_is_named(ends: Ends, tmp_path: Path) -> None:
    async with opened(ends, tmp_path) as (_, port):
        with pytest.raises(Refused, match=str(port)):
            async with doors(ends.lanes, UUID, ["false"], {"again": port}):
                pass


async def test_ports_that_are_offered_are_free(ends: Ends) -> None:
    offer = await ends.lanes.offer(OfferLane(lane_uuid=UUID, address="127.0.0.1", ports=3))
    assert len(set(offer.ports)) == 3
    for port in offer.ports:
        server = await asyncio.start_server(answer, "127.0.0.1", port)
        server.close()
    assert isinstance(ends.lanes, Lanes)
