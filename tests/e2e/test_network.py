"""What guests are told and let do by the network of their host, seen on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import time
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.e2e import guest
from tests.e2e.frames import arp, dhcp, is_arp_of, listening, octets, read_dhcp
from tests.e2e.guest import Guest
from tests.e2e.lease import is_ack, renewed
from tests.e2e.stage import DNS, DOMAIN, Stage, make_network, until

LINK_LOCAL = "169.254.169.254"
SCRIPT = "#!/bin/sh\necho ran\n"
STRANGER = "fa:00:de:ad:be:ef"
QUIET_SECONDS = 1.5


class Pair(NamedTuple):
    """A guest on each host, both with a NIC on the default network and one on another."""

    one: Guest
    two: Guest
    second_l3: str
    dhcp_ip: str
    second_dhcp_ip: str


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def pair(cloud: Stage) -> AsyncIterator[Pair]:
    second = await make_network(cloud, "second", f"172.27.{os.getpid() % 250}.0/24")
    made: list[Guest] = []
    try:
        for number in (1, 2):
            one = await guest.create(
                cloud, f"net-{number}", host=number, user_data=SCRIPT, l3=[cloud.l3, second],
                default_l3_network_uuid=cloud.l3,
            )  # fmt: skip
            made.append(one)
        for each in made:
            await each.booted()
            await each.says(rf"address {second_nic(each)['ip']}/24 on eth1")
        addresses = [await dhcp_address(cloud, l3) for l3 in (cloud.l3, second)]
        yield Pair(made[0], made[1], second, *addresses)
    finally:
        for each in made:
            await each.destroy()
        await cloud.session.call("DeleteL3Network", uuid=second)


def second_nic(of: Guest) -> dict[str, str]:
    found = sorted(of.inventory["vmNics"], key=lambda nic: int(nic["deviceId"]))
    return dict(found[1])


async def dhcp_address(cloud: Stage, l3: str) -> str:
    """The DHCP address of a network, which must be the same on every host, behind the same MAC."""
    found = set()
    for machine in cloud.machines:
        seen = (await cloud.in_network(machine, l3, ["ip", "addr", "show", "dev", "service"])).stdout
        addresses = re.findall(r"inet (\S+)/24", seen)
        mac = re.findall(r"link/ether (\S+)", seen)
        found.add((*addresses, *mac))
    assert len(found) == 1, found
    return str(found.pop()[0])


async def test_the_default_nic_is_told_everything(cloud: Stage, pair: Pair) -> None:
    for each in (pair.one, pair.two):
        answer = await renewed(cloud, each)
        gateway = each.nic["gateway"]
        assert answer.offered == each.ip
        assert answer.address(1) == "255.255.255.0"
        assert answer.address(3) == gateway
        assert answer.address(6) == DNS
        assert answer.options[12].decode() == each.inventory["name"]
        assert answer.options[15].decode() == DOMAIN
        assert int.from_bytes(answer.options[26]) == 1500
        assert 120 <= int.from_bytes(answer.options[51]) <= 24 * 3600, "the lease is finite"
        assert answer.address(54) == pair.dhcp_ip
        routes = bytes([32]) + socket.inet_aton(LINK_LOCAL) + socket.inet_aton(pair.dhcp_ip)
        routes += bytes([0]) + socket.inet_aton(str(gateway))
        assert answer.options[121] == routes


async def test_a_secondary_nic_is_told_no_router_and_no_name_server(cloud: Stage, pair: Pair) -> None:
    answer = await renewed(cloud, pair.one, "eth1")
    assert answer.offered == second_nic(pair.one)["ip"]
    assert answer.address(1) == "255.255.255.0"
    assert answer.address(54) == pair.second_dhcp_ip
    for option in (3, 6):
        assert not answer.options.get(option)
    assert 121 not in answer.options
    routes = await pair.one.ssh("ip route")
    assert routes.count("default") == 1
    assert f"default via {pair.one.nic['gateway']} dev eth0" in routes


async def test_a_dhcp_server_killed_on_one_host_disturbs_no_guest_of_the_other(
    cloud: Stage, pair: Pair
) -> None:
    here, there = pair.one.host, pair.two.host
    daemon, supervisor = [
        (await cloud.run(here, "cat", f"/run/zstui-agent/{name}.pid")).split()[0]
        for name in ("daemon", "supervisor")
    ]
    others = await cloud.pids(there, "dnsmasq")
    async with listening(here.name, "eth1") as uplink:
        # Held still, the agent cannot start the server again: it stays dead while the others are asked.
        await cloud.run(here, "kill", "-STOP", supervisor, daemon)
        try:
            await cloud.run(here, "pkill", "-9", "dnsmasq")
            assert await cloud.pids(here, "^dnsmasq") == []
            await pair.two.ssh(
                "kill $(cat /run/udhcpc.eth0.pid); sleep 0.2; /usr/lib/zstui/card eth0", check=False
            )
            mark = len(pair.two.serial())
            answer = await renewed(cloud, pair.two)
            assert answer.offered == pair.two.ip
            assert (await pair.two.ssh("hostname")).strip() == "net-2"
            assert "refused" not in pair.two.serial()[mark:]
            # A guest of the host itself keeps its address, and reaches the others.
            assert " 0% packet loss" in await pair.two.ssh(f"ping -c 1 -W 3 {pair.one.ip}")
        finally:
            await cloud.run(here, "kill", "-CONT", supervisor, daemon)
        assert await cloud.pids(there, "dnsmasq") == others
        # Nobody's question and nobody's answer went over the uplink meanwhile.
        assert [frame for frame in uplink.frames if read_dhcp(frame)] == []

    async def back() -> bool:
        return len(await cloud.pids(here, "dnsmasq.*--conf-file")) == 2

    await until(back, 30, "both DHCP servers of the host")
    answer = await renewed(cloud, pair.one)
    assert answer.offered == pair.one.ip


async def test_nothing_of_dhcp_leaves_by_the_uplink(cloud: Stage, pair: Pair) -> None:
    async with listening(pair.one.host.name, "eth1") as uplink:
        # A whole new lease: discover, offer, request and acknowledgement, all to everybody.
        async with listening(pair.one.host.name, pair.one.device.replace(".0", ".1")) as tap:
            await pair.one.ssh(
                "kill $(cat /run/udhcpc.eth1.pid); rm /run/udhcpc.eth1.pid; /usr/lib/zstui/card eth1"
            )
            # The client that ends may have been renewing: its acknowledgement is not the one waited for.
            kinds: set[int] = set()

            def whole(frame: bytes) -> bool:
                message = read_dhcp(frame)
                kinds.update({message.kind} if message else ())
                return kinds >= {1, 2, 3, 5} and is_ack(frame, second_nic(pair.one)["mac"])

            await tap.hear(whole)
        await pair.one.ssh(f"arping -c 1 -w 2 -I eth0 {pair.dhcp_ip}")
        # The control: what guests say to each other does cross it.
        await pair.one.ssh(f"ip neigh flush dev eth0; ping -c 1 -W 3 {pair.two.ip}")
        await uplink.hear(lambda frame: is_arp_of(frame, pair.two.ip))
        assert [frame for frame in uplink.frames if read_dhcp(frame)] == []
        kept = (pair.dhcp_ip, pair.second_dhcp_ip, LINK_LOCAL)
        assert [frame.hex() for frame in uplink.frames if is_arp_of(frame, *kept)] == []


async def test_nothing_of_dhcp_comes_in_by_the_uplink(cloud: Stage, pair: Pair) -> None:
    outside, one = f"zstui-{cloud.lab.name}-sw", pair.one
    somebody = str(IPv4Address(int(IPv4Network(f"{one.ip}/24", strict=False).broadcast_address) - 4))
    async with (
        listening(one.host.name, one.device) as tap,
        listening(one.host.name, cloud.service_port(cloud.l3)) as service,
        listening(outside, "br-data") as switch,
    ):
        switch.send(arp(STRANGER, somebody, pair.dhcp_ip))
        switch.send(arp(STRANGER, pair.dhcp_ip, one.ip, reply=True))
        switch.send(arp(STRANGER, LINK_LOCAL, one.ip, reply=True))
        switch.send(dhcp(STRANGER, one.mac, 1))
        switch.send(dhcp(STRANGER, one.mac, 2, offered=somebody, server=somebody))
        # The control, sent last: an ordinary question reaches the guest, and its answer comes back.
        switch.send(arp(STRANGER, somebody, one.ip))
        await switch.hear(lambda frame: frame[:6] == octets(STRANGER) and is_arp_of(frame, one.ip))
        await asyncio.sleep(QUIET_SECONDS)
        for ear in (tap, service):
            assert [frame.hex() for frame in ear.frames if read_dhcp(frame)] == []
            assert [frame.hex() for frame in ear.frames if is_arp_of(frame, pair.dhcp_ip, LINK_LOCAL)] == []
        answers = [frame for frame in switch.frames if frame[:6] == octets(STRANGER)]
        assert all(is_arp_of(frame, one.ip) for frame in answers), [frame.hex() for frame in answers]


async def test_a_guest_with_another_address_is_not_heard(cloud: Stage, pair: Pair) -> None:
    taken = str(IPv4Address(int(IPv4Network(f"{pair.one.ip}/24", strict=False).broadcast_address) - 3))
    ping = f"ping -c 2 -W 1 -I {{}} {pair.two.ip}"
    await pair.one.ssh(f"ip addr add {taken}/24 dev eth0")
    try:
        assert " 0% packet loss" in await pair.one.ssh(ping.format(pair.one.ip))
        async with listening(pair.one.host.name, "eth1") as uplink:
            assert "100% packet loss" in await pair.one.ssh(ping.format(taken), check=False)
            await pair.one.ssh(f"arping -c 2 -w 2 -I eth0 -s {taken} {pair.two.ip}", check=False)
            spoken = socket.inet_aton(taken)
            assert [f.hex() for f in uplink.frames if f[26:30] == spoken or f[28:32] == spoken] == []
    finally:
        await pair.one.ssh(f"ip addr del {taken}/24 dev eth0")


async def test_a_guest_with_another_mac_is_not_heard(cloud: Stage, pair: Pair) -> None:
    mac, target = second_nic(pair.one)["mac"], second_nic(pair.two)["ip"]
    device = pair.one.device.replace(".0", ".1")
    ping = f"ping -c 2 -W 1 {target}"
    address = f"ip addr replace {second_nic(pair.one)['ip']}/24 dev eth1"

    def become(other: str) -> str:
        return f"ip link set eth1 down; ip link set eth1 address {other}; ip link set eth1 up; {address}"

    assert " 0% packet loss" in await pair.one.ssh(ping)
    async with listening(pair.one.host.name, "eth1") as uplink, listening(pair.one.host.name, device) as tap:
        try:
            await pair.one.ssh(become(STRANGER))
            assert "100% packet loss" in await pair.one.ssh(ping, check=False)
            assert any(frame[6:12] == octets(STRANGER) for frame in tap.frames), "it did try"
            assert not any(frame[6:12] == octets(STRANGER) for frame in uplink.frames)
        finally:
            await pair.one.ssh(become(mac))
    assert " 0% packet loss" in await pair.one.ssh(ping)


async def test_user_data_is_served_on_every_path_to_its_owner_and_recorded(cloud: Stage, pair: Pair) -> None:
    one, began = pair.one, time.time()
    key = " ".join(cloud.public_key.split()[:2])
    expected = {
        "latest/meta-data/local-hostname": "net-1",
        "latest/meta-data/local-ipv4": one.ip,
        "2009-04-04/meta-data/instance-id": one.uuid,
        "latest/meta-data/public-keys/0/openssh-key": key,
        "latest/user-data": SCRIPT.strip(),
        "nocloud/meta-data": f'instance-id: "{one.uuid}"',
        "nocloud/user-data": SCRIPT.strip(),
    }
    for where in (LINK_LOCAL, pair.dhcp_ip):
        for path, body in expected.items():
            assert body in await one.ssh(f"wget -q -O - -U e2e/{where} http://{where}/{path}"), (where, path)
        await one.ssh(f"wget -q -O - -U e2e/{where} http://{where}/latest/none", check=False)
    asked = await pair.two.ssh(f"wget -q -O - http://{LINK_LOCAL}/latest/meta-data/instance-id")
    assert asked.strip() == pair.two.uuid

    async def recorded() -> bool:
        return len(await _fetches(cloud, one)) == 2 * (len(expected) + 1)

    await until(recorded, 30, "the record of all fetches")
    for fetch in await _fetches(cloud, one):
        assert fetch["vmNicUuid"] == one.nic["uuid"]
        assert fetch["hostUuid"] == one.inventory["hostUuid"]
        path = str(fetch["path"]).removeprefix("/")
        assert int(str(fetch["httpStatus"])) == (200 if path in expected else 404)
        assert path in expected or path == "latest/none"
        stamp = time.mktime(time.strptime(str(fetch["createDate"]), "%b %d, %Y %I:%M:%S %p"))
        assert began - 2 <= stamp <= time.time() + 2
    agents = [str(fetch["userAgent"]) for fetch in await _fetches(cloud, one)]
    for where in (LINK_LOCAL, pair.dhcp_ip):
        assert agents.count(f"e2e/{where}") == len(expected) + 1


async def _fetches(cloud: Stage, of: Guest) -> list[dict[str, object]]:
    return await cloud.session.query(
        "UserdataFetch", ("userAgent", "like", "e2e/%"), vm_instance_uuid=of.uuid
    )


async def test_user_data_follows_its_tag_at_once(cloud: Stage, pair: Pair) -> None:
    (tag,) = [
        tag
        for tag in await cloud.session.query("SystemTag", resource_uuid=pair.one.uuid)
        if str(tag["tag"]).startswith("userdata::")
    ]
    await cloud.session.call("UpdateSystemTag", uuid=tag["uuid"], tag="userdata::#!/bin/sh\necho changed\n")

    async def changed() -> bool:
        with contextlib.suppress(AssertionError):
            return "echo changed" in await pair.one.ssh(f"wget -q -O - http://{LINK_LOCAL}/latest/user-data")
        return False

    await until(changed, 30, "the changed user data")


async def test_a_link_that_is_not_there_is_refused_and_leaves_no_socket(cloud: Stage) -> None:
    before = sockets()
    with pytest.raises(OSError, match="No such device") as refused:
        async with listening(cloud.machines[0].name, "eth99"):
            pass
    # The error holds what was made on the way to it.
    assert sockets() - before == set(), refused


def sockets() -> set[str]:
    """The sockets that this process has open."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the folder's own, which is closed by now
            links.append(str(entry.readlink()))
    return {link for link in links if link.startswith("socket:")}
