"""A hostile guest beside an honest one on the same host: what it tries, seen from inside of both.

Each attempt has its control: what the same words bring when they are honest, so that nothing passes by being broken.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
import pytest_asyncio

from agent.network import service_mac
from tests.e2e import guest
from tests.e2e.attacker import Attacker, unguarded
from tests.e2e.conftest import VmFactory
from tests.e2e.frames import Ear, listening, octets, read_dhcp
from tests.e2e.guest import Guest
from tests.e2e.lease import is_ack
from tests.e2e.spoofs import Station, bridge_words, dhcp_noise, honest, mark, spoofs
from tests.e2e.stage import Stage, until

SERVICE = "169.254.169.254"
OURS, THEIRS = "#!/bin/sh\necho of-the-attacker\n", "#!/bin/sh\necho of-the-victim\n"
ROUNDS_SECONDS = 3.0
LOOKING_SECONDS = 4.0
"""A server looks for two seconds whether somebody has the address that it is about to offer."""


class Two(NamedTuple):
    attacker: Guest
    victim: Guest


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def two(cloud: Stage) -> AsyncIterator[Two]:
    made: list[Guest] = []
    try:
        for name, data in (("attacker", OURS), ("victim", THEIRS)):
            made.append(await guest.create(cloud, name, host=1, user_data=data))
        for each in made:
            await each.booted()
        yield Two(*made)
    finally:
        for each in made:
            await each.destroy()


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def attacker(two: Two) -> Attacker:
    return await Attacker.arm(two.attacker)


async def raw(one: Guest, request: str) -> str:
    r"""What the metadata server says to bytes; `\r\n` is written as it is here."""
    # Who stops to speak has hung up, so that the pipe stays open until there is an answer.
    return await one.ssh(f"(printf '{request}'; sleep 1) | nc -w 3 {SERVICE} 80", check=False)


def get(path: str, *headers: str) -> str:
    lines = (f"GET {path} HTTP/1.1", *(headers or ("Host: x",)), "Connection: close")
    return "".join(f"{line}\\r\\n" for line in lines) + "\\r\\n"


async def test_each_is_served_its_own(two: Two) -> None:
    assert "of-the-attacker" in await raw(two.attacker, get("/latest/user-data"))
    assert "of-the-victim" in await raw(two.victim, get("/latest/user-data"))


@pytest.mark.parametrize("trick", [
    "/latest/user-data?instance-id={uuid}", "/latest/user-data/{ip}", "/{uuid}/latest/user-data",
    "/latest/../{ip}/latest/user-data", "//{ip}/latest/user-data", "/latest/%%2e%%2e/{uuid}/user-data",
    "http://{ip}/latest/user-data", "/latest/user-data%%00{ip}",
])  # fmt: skip
async def test_no_path_leads_to_anothers(two: Two, trick: str) -> None:
    path = trick.format(ip=two.victim.ip, uuid=two.victim.uuid)
    said = await raw(two.attacker, get(path))
    assert said.startswith("HTTP/1.")
    assert "of-the-victim" not in said


@pytest.mark.parametrize("header", [
    "X-Forwarded-For: {ip}", "X-Real-IP: {ip}", "Forwarded: for={ip}", "Host: {ip}", "X-Instance-ID: {uuid}",
    "X-Forwarded-Host: {uuid}",
])  # fmt: skip
async def test_no_header_leads_to_anothers(two: Two, header: str) -> None:
    said = await raw(
        two.attacker, get("/latest/user-data", header.format(ip=two.victim.ip, uuid=two.victim.uuid))
    )
    assert said.startswith("HTTP/1.")
    assert "of-the-victim" not in said


async def test_anothers_address_brings_no_answer(two: Two) -> None:
    attacker, ours, theirs = two.attacker, two.attacker.ip, two.victim.ip
    before = (await attacker.ssh(f"ip route show {SERVICE}")).strip()
    speak_as = f"ip route replace {SERVICE}/32 dev eth0 src"
    await attacker.ssh(f"ip addr add {theirs}/32 dev eth0; {speak_as} {ours}")
    try:
        assert "of-the-attacker" in await raw(attacker, get("/latest/user-data"))
        await attacker.ssh(f"{speak_as} {theirs}")
        assert await raw(attacker, get("/latest/user-data")) == ""
        await attacker.ssh(f"arping -A -c 2 -w 2 -I eth0 {theirs}", check=False)
        assert "of-the-victim" in await raw(two.victim, get("/latest/user-data"))
    finally:
        restored = f"ip route replace {before}" if before else f"ip route del {SERVICE}/32"
        await attacker.ssh(f"{restored}; ip addr del {theirs}/32 dev eth0")


async def test_nobody_becomes_the_service(two: Two) -> None:
    await two.attacker.ssh(f"ip addr add {SERVICE}/32 dev eth0")
    try:
        await two.attacker.ssh(f"arping -A -c 3 -w 3 -I eth0 {SERVICE}", check=False)
        assert "of-the-victim" in await raw(two.victim, get("/latest/user-data"))
    finally:
        await two.attacker.ssh(f"ip addr del {SERVICE}/32 dev eth0")


async def test_what_was_forwarded_is_refused_and_no_answer_can_be_forwarded(two: Two) -> None:
    forwarded = get("/latest/user-data", "Host: x", "X-Forwarded-For: 127.0.0.1")
    assert (await raw(two.attacker, forwarded)).startswith("HTTP/1.1 403")
    async with listening(two.victim.host.name, two.victim.device) as tap:
        assert "of-the-victim" in await raw(two.victim, get("/latest/user-data"))
    service = socket.inet_aton(SERVICE)
    answers = [frame for frame in tap.frames if frame[12:14] == b"\x08\x00" and frame[26:30] == service]
    assert {frame[22] for frame in answers} == {1}, "each lives for one hop"


async def test_no_port_of_the_host_is_open_but_its_service(two: Two, attacker: Attacker) -> None:
    assert [
        port for port, said in (await attacker.scan(SERVICE, 1, 10_000, 3)).items() if said == "open"
    ] == [80]


async def test_no_address_of_the_host_answers_by_its_bridge(
    cloud: Stage, two: Two, attacker: Attacker
) -> None:
    """Nor one of another link, which Linux answers for by any of its links."""
    host, gateway = two.attacker.host, str(two.attacker.nic["gateway"])
    (bridge,) = json.loads(await cloud.run(host, "ip", "-j", "link", "show", "dev", "br_eth1"))
    await cloud.run(host, "ip", "addr", "add", f"{gateway}/24", "dev", "br_eth1")
    try:
        for address in (gateway, host.address):
            way = f"ip route add {address}/32 dev eth0; arp -i eth0 -s {address} {bridge['address']}"
            await two.attacker.ssh(way)
            assert await attacker.scan(address, 22, 22, 2) == {}
            if address == gateway:
                async with unguarded(cloud, two.attacker):
                    assert (await attacker.scan(address, 22, 22, 2)).keys() == {22}
            await two.attacker.ssh(f"arp -i eth0 -d {address}; ip route del {address}/32 dev eth0")
    finally:
        await cloud.run(host, "ip", "addr", "del", f"{gateway}/24", "dev", "br_eth1")


async def test_a_greedy_guest_holds_up_nobody(two: Two) -> None:
    flood = (
        f"for n in $(seq 30); do (sleep 8 | nc {SERVICE} 80 >/dev/null 2>&1) & done; "
        f"for n in $(seq 300); do wget -q -O /dev/null http://{SERVICE}/ || echo refused; done"
    )
    assert "refused" in await two.attacker.ssh(flood, seconds=60)
    assert "of-the-victim" in await raw(two.victim, get("/latest/user-data"))


async def stations(cloud: Stage, two: Two) -> tuple[Station, Station, Station, str]:
    """The attacker, the victim, the network's service, and the network's gateway."""
    seen = (
        await cloud.in_network(two.victim.host, cloud.l3, ["ip", "addr", "show", "dev", "service"])
    ).stdout
    (address,) = re.findall(r"inet (\S+)/24", seen)
    own, other = (Station(each.mac, each.ip) for each in two)
    return own, other, Station(service_mac(cloud.l3), address), str(two.victim.nic["gateway"])


class Ears:
    """Everywhere that a guest's frame could come out: at its neighbour, its host's service, on the wire."""

    def __init__(self, cloud: Stage, two: Two) -> None:
        self._host = two.victim.host.name
        self._places = (two.victim.device, cloud.service_port(cloud.l3), "eth1")
        self._open = AsyncExitStack()
        self._ears: list[Ear] = []

    async def __aenter__(self) -> Ears:
        for place in self._places:
            self._ears.append(await self._open.enter_async_context(listening(self._host, place)))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    def heard(self, names: dict[str, bytes]) -> set[str]:
        """The names whose frames came out anywhere."""
        whole = b"".join(frame for ear in self._ears for frame in ear.frames)
        return {name for name in names if mark(name) in whole}


async def test_a_guest_speaks_as_itself_or_is_not_heard(cloud: Stage, two: Two, attacker: Attacker) -> None:
    found = await stations(cloud, two)
    good, bad = honest(found[0], found[1]), spoofs(*found)
    assert len(bad) >= 40
    async with Ears(cloud, two) as ears:
        await attacker.send([*bad.values(), *good.values()])
        await until(lambda: heard_all(ears, good), 5, "what an honest guest says")
        assert ears.heard(bad) == set()
    async with Ears(cloud, two) as ears:
        assert await attacker.send(bad.values(), ROUNDS_SECONDS) >= 100 * len(bad)
        assert ears.heard(bad) == set()
    assert "of-the-victim" in await raw(two.victim, get("/latest/user-data"))
    # The control: it is the guard that keeps them in.
    try:
        async with Ears(cloud, two) as ears, unguarded(cloud, two.attacker):
            await attacker.send(bad.values())
            await asyncio.sleep(0.5)
        assert bad.keys() - ears.heard(bad) == set()
    finally:
        await forget_lies(cloud, two)


async def heard_all(ears: Ears, names: dict[str, bytes]) -> bool:
    return ears.heard(names) == set(names)


async def forget_lies(cloud: Stage, two: Two) -> None:
    """Have host, service and guests ask anew who has which address."""
    await cloud.run(two.victim.host, "ip", "link", "set", "dev", "br_eth1", "type", "bridge", "fdb_flush")
    await cloud.in_network(two.victim.host, cloud.l3, ["ip", "neigh", "flush", "dev", "service"])
    for each in two:
        await each.ssh("ip neigh flush dev eth0")


async def test_no_word_to_the_bridge_draws_anothers_packets(
    cloud: Stage, two: Two, attacker: Attacker
) -> None:
    """A bridge takes what is addressed to itself before any filter, and could learn from it who is where."""
    _, victim, service, _ = await stations(cloud, two)
    host, tap = two.attacker.host, two.attacker.device
    await attacker.send([frame for mac in (victim.mac, service.mac) for frame in bridge_words(mac)])
    table = await cloud.run(host, "bridge", "fdb", "show", "br", "br_eth1")
    at_attacker = {line.split()[0] for line in table.splitlines() if f"dev {tap} master" in line}
    assert at_attacker.isdisjoint({victim.mac, service.mac})
    assert two.attacker.mac in at_attacker
    assert "of-the-victim" in await raw(two.victim, get("/latest/user-data"))


async def test_a_dhcp_server_in_a_guest_gives_nobody_an_address(
    cloud: Stage, two: Two, attacker: Attacker
) -> None:
    own, victim, service, _ = await stations(cloud, two)
    stolen = victim.ip.rpartition(".")[0] + ".2{}"
    leases = f"start {stolen.format(40)}\nend {stolen.format(49)}\nlease_file /run/l\n"
    config = f"interface eth0\npidfile /run/d.pid\n{leases}"
    await attacker.guest.ssh(
        f"printf '{config}' >/run/d.conf; touch /run/l; busybox udhcpd -S /run/d.conf </dev/null >/dev/null 2>&1"
    )
    try:
        assert await servers(cloud, two) == {service.ip}
        async with unguarded(cloud, two.attacker):
            assert own.ip in await servers(cloud, two)
    finally:
        await attacker.guest.ssh("kill $(cat /run/d.pid)")


async def servers(cloud: Stage, two: Two) -> set[str]:
    """Who offers an address to a client of the victim's that has none yet, be it after a while."""
    async with listening(two.victim.host.name, two.victim.device) as tap:
        client = "busybox udhcpc -i eth0 -f -q -n -t 2 -T 2 -s /bin/true </dev/null >/dev/null 2>&1"
        await two.victim.ssh(client, check=False)
        await asyncio.sleep(LOOKING_SECONDS)
        offers = [
            found for frame in tap.frames if (found := read_dhcp(frame)) is not None and found.kind == 2
        ]
    assert offers
    return {offer.address(54) for offer in offers}


async def test_an_address_brings_its_next_owner_nothing_of_the_last(
    cloud: Stage, two: Two, vm: VmFactory
) -> None:
    first = await vm("first-owner", host=1, user_data="#!/bin/sh\necho of-the-first\n")
    await first.destroy()
    wanted = f"staticIp::{cloud.l3}::{first.ip}"
    second = await (await vm("next-owner", host=1, tags=(wanted,))).booted()
    assert second.ip == first.ip
    assert "of-the-first" not in second.serial()
    served = await raw(second, get("/latest/user-data"))
    assert served.startswith("HTTP/1.1 200")
    assert "of-the-first" not in served


@pytest.mark.alone
async def test_a_flood_of_dhcp_keeps_nobody_from_a_lease(cloud: Stage, two: Two, attacker: Attacker) -> None:
    own, victim, _, _ = await stations(cloud, two)
    server = await cloud.pids(two.victim.host, "dnsmasq.*--conf-file")
    flood = asyncio.create_task(attacker.send(dhcp_noise(own, 2_000), 8))
    try:
        async with listening(two.victim.host.name, two.victim.device) as tap:
            for _ in range(3):
                await asyncio.sleep(1)
                tap.frames.clear()
                await two.victim.ssh("kill -USR1 $(cat /run/udhcpc.eth0.pid)")
                await tap.hear(lambda frame: asks(frame, victim.mac))
                began = time.monotonic()
                await tap.hear(lambda frame: is_ack(frame, victim.mac), 10)
                assert time.monotonic() - began < 2
        assert not flood.done()
    finally:
        sent = await flood
    assert sent >= 5_000
    assert await cloud.pids(two.victim.host, "dnsmasq.*--conf-file") == server


def asks(frame: bytes, mac: str) -> bool:
    found = read_dhcp(frame)
    return found is not None and found.kind == 3 and frame[6:12] == octets(mac)


@pytest.mark.alone
async def test_connections_without_end_of_one_guest_hold_up_nobody(
    cloud: Stage, two: Two, attacker: Attacker
) -> None:
    """Of which each says a byte a second, and never all of a request."""
    turned_away = await _turned_away(cloud, two.victim)
    flood = asyncio.create_task(attacker.connect(SERVICE, 10_000, 15))
    ask = f"wget -q -O - http://{SERVICE}/latest/user-data"
    fetch = f"read a b </proc/uptime; {ask}; read c d </proc/uptime; echo $a $c"
    seconds = []
    try:
        await asyncio.sleep(1)
        while not flood.done():
            *data, times = (await two.victim.ssh(fetch)).splitlines()
            assert "of-the-victim" in "".join(data)
            began, ended = map(float, times.split())
            seconds.append(ended - began)
    finally:
        opened, ended_by_server = await flood
    assert opened > 200
    assert opened - ended_by_server <= 200 + 8
    assert len(seconds) >= 2
    assert await _turned_away(cloud, two.victim) == turned_away
    assert max(seconds[:-1]) < 1


async def _turned_away(cloud: Stage, guest: Guest) -> int:
    """How many connections found no room to wait where the user data of a guest's network is served."""
    words = ("nstat", "-asz", "TcpExtListenOverflows")
    said = await cloud.in_network(guest.host, cloud.l3, words)
    return int(said.stdout.splitlines()[-1].split()[1])
