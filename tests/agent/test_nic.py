"""Guests against a real agent in namespaces: leases, user data, spoofing, and what survives."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from agent.nic import CHECK_SECONDS
from tests.agent.netlab import Box, Guest, Host, switch, until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(90)]

L3, MAC_A, MAC_B = "ab" * 16, "52:54:00:00:00:0a", "52:54:00:00:00:0b"
NETWORK = {
    "l3_uuid": L3, "bridge": "br_eth1", "physical_interface": "eth1", "dhcp_ip": "10.0.0.2",
    "netmask": "255.255.255.0", "gateway": "10.0.0.1", "dns": ["10.0.0.53", "9.9.9.9"], "domain": "lab.test",
    "mtu": 1450, "lease_seconds": 600, "userdata": True,
}  # fmt: skip


def nic(letter: str, **changes: Any) -> dict[str, Any]:
    number = ord(letter) - ord("a")
    return {
        "nic_uuid": f"nic{letter}", "vm_uuid": f"vm{letter}", "l3_uuid": L3, "device": f"vnic{number}.0",
        "bridge": "br_eth1", "mac": f"52:54:00:00:00:{10 + number:02x}", "ip": f"10.0.0.{5 + number}",
        "hostname": f"Guest {letter}!", "primary": True,
        "metadata": {"instance_id": f"vm{letter}", "local_hostname": f"guest-{letter}",
                     "public_keys": ["ssh-ed25519 AAAA one"], "user_data": f"secret: {letter}"},
    } | changes  # fmt: skip


@pytest.fixture
def wire() -> Iterator[Box]:
    box = switch()
    yield box
    box.close()


@pytest.fixture
def host(wire: Box) -> Iterator[Host]:
    made = Host(wire, "h1")
    try:
        ready(made)
        yield made
    finally:
        made.close()


def ready(host: Host) -> None:
    host.start()
    host.do("EnsureBridge", l2_uuid="l2", bridge="br_eth1", physical_interface="eth1")
    host.do("EnsureNetwork", **NETWORK)


@pytest.fixture
def guest(host: Host) -> Iterator[Guest]:
    host.do("EnsureNic", **nic("a"))
    made = Guest(host, "vnic0.0", MAC_A)
    yield made
    made.close()


def test_a_guest_gets_its_address_and_every_option(guest: Guest) -> None:
    lease = guest.dhcp()
    assert lease["ip"] == "10.0.0.5"
    assert lease["subnet"] == "255.255.255.0"
    assert lease["router"] == "10.0.0.1"
    assert lease["dns"] == "10.0.0.53 9.9.9.9"
    assert lease["hostname"] == "guest-a"
    assert lease["domain"] == "lab.test"
    assert lease["mtu"] == "1450"
    assert lease["lease"] == "600"
    assert lease["serverid"] == "10.0.0.2"
    assert lease["staticroutes"] == "169.254.169.254/32 10.0.0.2 0.0.0.0/0 10.0.0.1"
    assert lease["msstaticroutes"] == lease["staticroutes"]


def test_a_second_nic_gets_no_router_and_no_name_servers(host: Host) -> None:
    host.do("EnsureNic", **nic("a", primary=False))
    guest = Guest(host, "vnic0.0", MAC_A)
    lease = guest.dhcp()
    guest.close()
    assert lease["ip"] == "10.0.0.5"
    assert lease["mtu"] == "1450"
    assert not lease.get("router")
    assert not lease.get("dns")
    assert "staticroutes" not in lease
    assert "msstaticroutes" not in lease


def test_user_data_with_and_without_a_route_of_its_own(guest: Guest) -> None:
    guest.address("10.0.0.5/24", "10.0.0.2")
    for base in ("http://169.254.169.254", "http://10.0.0.2"):
        assert guest.get(f"{base}/latest/user-data") == "#cloud-config\nsecret: a|200"
    # Through a router that knows nothing of it: the packet is redirected before it gets there.
    guest.sh("ip route del default; ip neigh add 10.0.0.1 lladdr 52:54:00:ff:ff:ff dev eth0")
    guest.sh("ip route add default via 10.0.0.1")
    assert guest.get("http://169.254.169.254/2009-04-04/meta-data/instance-id") == "vma|200"
    # As a neighbour, as link-local addresses are elsewhere.
    guest.sh("ip route add 169.254.0.0/16 dev eth0")
    assert guest.get("http://169.254.169.254/latest/meta-data/local-ipv4") == "10.0.0.5|200"


def test_requests_are_recorded_and_announced(host: Host, guest: Guest) -> None:
    guest.address("10.0.0.5/24", "10.0.0.2")
    guest.get("http://10.0.0.2/latest/meta-data/instance-id?x=1", "User-Agent: Cloud-Init/22.4.2")
    assert guest.get("http://10.0.0.2/nothing") == "|404"
    assert guest.get("http://10.0.0.2/latest/user-data", "X-Forwarded-For: 1.2.3.4").endswith("|403")
    fetches = host.ask("fetches", 0)
    assert [(f["sequence"], f["path"], f["status"]) for f in fetches] == [
        (1, "/latest/meta-data/instance-id", 200), (2, "/nothing", 404), (3, "/latest/user-data", 403),
    ]  # fmt: skip
    assert fetches[0]["user_agent"] == "Cloud-Init/22.4.2"
    assert (fetches[0]["vm_uuid"], fetches[0]["nic_uuid"]) == ("vma", "nica")
    assert [e["fetch"]["sequence"] for e in host.ask("events")] == [1, 2, 3]
    host.kill()
    host.start()
    guest.get("http://10.0.0.2/latest/")
    assert [f["sequence"] for f in host.ask("fetches", 2)] == [3, 4]


def test_nothing_else_answers(guest: Guest) -> None:
    guest.address("10.0.0.5/24", "10.0.0.2")
    for port in (8080, 53, 22):
        began = guest.sh(f"curl -s -m 2 http://10.0.0.2:{port}/ ; echo $?").strip()
        assert began == "7", f"port {port} did not refuse at once"  # 28 would be a time-out
    assert guest.get("http://10.0.0.2/latest//user-data") == "|404"
    assert guest.get("http://10.0.0.2/latest/%75ser-data") == "|404"
    assert guest.sh("curl -s -m 2 -X PUT -w '|%{http_code}' http://10.0.0.2/latest/api/token") == "|405"


LISTENER = """
import socket, sys
waiting = socket.create_server(("0.0.0.0", 8099))
print("listening", flush=True)
while True:
    conn, _ = waiting.accept()
    conn.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\nof the host")
    conn.close()
"""


def test_a_guest_reaches_nothing_that_its_host_listens_on(host: Host, wire: Box, guest: Guest) -> None:
    """Neither at an address that the bridge has, nor at one of another link, which Linux answers for as well."""
    host.sh("ip addr add 10.0.0.200/24 dev br_eth1; ip addr add 192.168.77.1/32 dev lo")
    (link,) = json.loads(host.sh("ip -j link show dev br_eth1"))
    guest.address("10.0.0.5/24")
    guest.sh(
        f"ip route add 192.168.77.1 dev eth0; ip neigh replace 192.168.77.1 lladdr {link['address']} dev eth0"
    )
    urls = ("http://10.0.0.200:8099/", "http://192.168.77.1:8099/")
    with subprocess.Popen(
        [*host.enter(), sys.executable, "-c", LISTENER], stdout=subprocess.PIPE, text=True
    ) as listener:
        try:
            assert listener.stdout is not None
            assert listener.stdout.readline() == "listening\n"
            assert [guest.get(url, seconds=1) for url in urls] == ["|000"] * 2
            # Others on the wire are not the guard's business, and neither is what the host only routes.
            wire.sh("ip addr add 10.0.0.77/24 dev sw")
            assert wire.sh("curl -s -m 2 http://10.0.0.200:8099/", check=False) == "of the host"
            host.sh("echo 1 >/proc/sys/net/ipv4/ip_forward; ip addr add 10.9.9.1/24 dev br_eth1")
            wire.sh("ip addr add 10.9.9.77/24 dev sw; ip route add 10.0.0.5 via 10.9.9.1")
            guest.sh("ip route add 10.9.9.77 via 10.0.0.200")
            assert guest.sh("ping -c 1 -W 2 10.9.9.77")
            host.ask("remove_guard")
            assert [guest.get(url, seconds=1) for url in urls] == ["of the host|200"] * 2
        finally:
            listener.kill()


SPOOF = """
import socket, struct, sys
what, = sys.argv[1:]
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
own = raw.getsockname()[4]
ip = socket.inet_aton
def arp(op, smac, sip, dmac, dip):
    head = bytes([255]*6) + own + b"\\x08\\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, op)
    return head + smac + ip(sip) + dmac + ip(dip)
if what == "announce":
    for _ in range(3): raw.send(arp(2, own, "169.254.169.254", bytes([255]*6), "169.254.169.254"))
if what == "vlan":
    frame = arp(1, own, "10.0.0.66", bytes(6), "10.0.0.5")
    raw.send(frame[:12] + b"\\x81\\x00\\x00\\x64" + frame[12:])
    good = arp(1, own, "10.0.0.6", bytes(6), "10.0.0.5")
    raw.send(good[:12] + b"\\x81\\x00\\x00\\x64" + good[12:])
"""

LISTEN = """
import select, socket, sys, time
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.bind((sys.argv[1], 3))
print("listening", flush=True)
end, found = time.monotonic() + float(sys.argv[2]), []
while (left := end - time.monotonic()) > 0:
    if select.select([raw], [], [], left)[0]:
        found.append(raw.recv(2000).hex())
print("\\n".join(found), flush=True)
"""


@pytest.fixture
def pair(host: Host, guest: Guest) -> Iterator[tuple[Guest, Guest]]:
    """An honest guest and one that means harm."""
    host.do("EnsureNic", **nic("b"))
    other = Guest(host, "vnic1.0", MAC_B)
    guest.address("10.0.0.5/24")
    other.address("10.0.0.6/24")
    yield guest, other
    other.close()


def steal(thief: Guest) -> list[str]:
    """The answers to each way of asking for the neighbour's user data."""
    answers = []
    for address, mac in (("10.0.0.5/24", MAC_B), ("10.0.0.5/24", MAC_A)):
        thief.sh(f"ip link set dev eth0 down; ip link set dev eth0 address {mac}; ip link set dev eth0 up")
        thief.address(address, "10.0.0.2")
        answers.append(thief.get("http://10.0.0.2/latest/user-data", seconds=1))
        answers.append(thief.get("http://169.254.169.254/latest/user-data", seconds=1))
    return answers


def test_a_guest_cannot_speak_as_another(host: Host, pair: tuple[Guest, Guest]) -> None:
    honest, thief = pair
    assert honest.get("http://10.0.0.2/latest/user-data") == "#cloud-config\nsecret: a|200"
    assert honest.sh("ping -c 1 -W 2 10.0.0.6"), "guests of one network do reach each other"
    honest.sh("ip link set dev eth0 down")
    assert steal(thief) == ["|000"] * 4
    # The control: without the guard the very same steps do get it.
    host.ask("remove_guard")
    assert "#cloud-config\nsecret: a|200" in steal(thief)


def test_nobody_but_the_service_answers_for_its_address(host: Host, pair: tuple[Guest, Guest]) -> None:
    honest, thief = pair
    thief.sh("ip addr add 169.254.169.254/32 dev eth0; ip addr add 10.0.0.2/32 dev eth0")
    honest.sh("ip route add 169.254.0.0/16 dev eth0; ip neigh flush dev eth0")
    thief.python(SPOOF, "announce")
    assert honest.get("http://169.254.169.254/latest/user-data").endswith("secret: a|200")
    thief.python(SPOOF, "vlan")
    drops = host.sh("nft list chain bridge zstui-guard guest")
    assert "packets 0 bytes 0 drop" in drops
    host.ask("remove_guard")
    honest.sh("echo 1 > /proc/sys/net/ipv4/conf/eth0/arp_accept; ip neigh flush dev eth0")
    thief.python(SPOOF, "announce")
    found = until(lambda: honest.sh("ip neigh show 169.254.169.254 dev eth0"))
    assert MAC_B in found


def test_tagged_frames_and_unknown_taps_say_nothing(host: Host, pair: tuple[Guest, Guest]) -> None:
    honest, thief = pair

    def heard(act: Any) -> int:
        with subprocess.Popen(
            [*honest.enter(), sys.executable, "-c", LISTEN, "eth0", "0.6"], stdout=subprocess.PIPE, text=True
        ) as listener:
            assert listener.stdout is not None
            assert listener.stdout.readline() == "listening\n"
            act()
            source = MAC_B.replace(":", "")
            return sum(line[12:24] == source for line in listener.stdout)

    assert heard(lambda: thief.python(SPOOF, "vlan")) == 0
    host.do("DropNic", nic_uuid="nicb")
    assert heard(lambda: thief.sh("ping -c 1 -W 1 10.0.0.5", check=False)) == 0
    host.ask("remove_guard")
    assert heard(lambda: thief.python(SPOOF, "vlan")) == 2


def test_a_rogue_dhcp_server_is_not_heard(host: Host, pair: tuple[Guest, Guest]) -> None:
    honest, rogue = pair
    folder = host.folder / "rogue"
    folder.mkdir()
    rogue.sh(
        f"dnsmasq --port=0 --interface=eth0 --bind-interfaces --dhcp-range=10.0.0.100,10.0.0.110,1h "
        f"--no-ping --dhcp-authoritative --pid-file={folder}/pid --dhcp-leasefile={folder}/leases "
        f"--user=root --conf-file=/dev/null"
    )
    try:
        host.do("EnsureNic", **nic("a", dhcp=False))
        honest.sh("ip addr flush dev eth0")
        assert honest.dhcp(tries=2) == {}
        host.ask("remove_guard")
        assert honest.dhcp()["serverid"] == "10.0.0.6"
    finally:
        rogue.sh(f"kill $(cat {folder}/pid)")


def test_another_guests_lease_cannot_be_declined(host: Host, pair: tuple[Guest, Guest]) -> None:
    honest, thief = pair
    honest.sh("ip addr flush dev eth0")
    assert honest.dhcp()["ip"] == "10.0.0.5"
    code = """
import random, socket, struct, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
out.bind(("", 68))
mac = bytes.fromhex("52540000000a")
head = struct.pack("!BBBBIHH", 1, 1, 6, 0, 7, 0, 0) + bytes(16) + mac.ljust(16, b"\\0") + bytes(192)
ip = socket.inet_aton
options = b"\\x63\\x82\\x53\\x63\\x35\\x01\\x04\\x32\\x04" + ip("10.0.0.5")
options += b"\\x36\\x04" + ip("10.0.0.2") + b"\\xff"
out.sendto((head + options).ljust(300, b"\\0"), ("10.0.0.2", 67))
"""
    thief.python(code)
    assert honest.dhcp()["ip"] == "10.0.0.5"
    host.ask("remove_guard")
    thief.python(code)
    assert honest.dhcp(tries=1) == {}


def test_an_address_moves_to_another_nic_with_nothing_of_the_old(host: Host, guest: Guest) -> None:
    assert guest.dhcp()["ip"] == "10.0.0.5"
    guest.address("10.0.0.5/24", "10.0.0.2")
    assert guest.get("http://10.0.0.2/latest/user-data").endswith("secret: a|200")
    host.do("DropNic", nic_uuid="nica")
    assert host.ask("guarded", "vnic0.0") is False
    host.do("EnsureNic", **nic("b", ip="10.0.0.5", metadata=None))
    other = Guest(host, "vnic1.0", MAC_B)
    assert other.dhcp()["ip"] == "10.0.0.5"
    other.address("10.0.0.5/24", "10.0.0.2")
    assert other.get("http://10.0.0.2/latest/user-data") == "|404"
    # Back and forth, as when a VM stops and starts: nothing is restarted for what is known already.
    pid = host.ask("dnsmasq", L3)
    host.do("DropNic", nic_uuid="nicb")
    host.do("EnsureNic", **nic("b", ip="10.0.0.5", metadata=None))
    assert host.ask("dnsmasq", L3) == pid
    assert other.dhcp()["ip"] == "10.0.0.5"
    # A NIC whose address moves on while it stays: the old address is free for another one at once.
    host.do("EnsureNic", **nic("b", ip="10.0.0.9"))
    host.do("EnsureNic", **nic("a"))
    assert guest.dhcp()["ip"] == "10.0.0.5"
    assert other.dhcp()["ip"] == "10.0.0.9"
    other.close()


def test_a_dropped_nic_leaves_no_file_and_its_address_is_free_even_after_a_kill(
    host: Host, guest: Guest
) -> None:
    hosts = host.folder / "run-dhcp"
    assert [path.name for path in hosts.glob("*/hosts/*")] == [MAC_A.replace(":", "")]
    host.do("DropNic", nic_uuid="nica")
    assert list(hosts.glob("*/hosts/*")) == []
    # The server that is adopted still knows the old owner of the address; its adopter must know that it does.
    host.kill()
    host.start()
    host.do("EnsureNic", **nic("b", ip="10.0.0.5"))
    other = Guest(host, "vnic1.0", MAC_B)
    assert other.dhcp()["ip"] == "10.0.0.5"
    other.close()


def test_dnsmasq_killed_is_back_and_renews(host: Host, guest: Guest) -> None:
    assert guest.dhcp()["ip"] == "10.0.0.5"
    first = host.ask("dnsmasq", L3)
    host.sh(f"kill -9 {first}")
    second = until(lambda: host.ask("dnsmasq", L3) not in {0, first} and host.ask("dnsmasq", L3), 5)
    assert second != first
    assert guest.dhcp()["ip"] == "10.0.0.5"


def test_a_killed_agent_adopts_its_dnsmasq_and_serves_again(host: Host, guest: Guest) -> None:
    pid = host.ask("dnsmasq", L3)
    digests = host.ask("digests")
    host.kill()
    assert guest.dhcp()["ip"] == "10.0.0.5", "DHCP goes on without an agent"
    guest.address("10.0.0.5/24", "10.0.0.2")
    assert guest.get("http://10.0.0.2/latest/user-data") == "|000"
    assert host.start() < 5
    assert host.ask("dnsmasq", L3) == pid
    assert host.ask("digests") == digests
    assert host.ask("guarded", "vnic0.0") is True
    assert guest.get("http://10.0.0.2/latest/user-data").endswith("secret: a|200")
    host.do("EnsureNetwork", **NETWORK)
    host.do("EnsureNic", **nic("a"))
    assert host.ask("dnsmasq", L3) == pid, "ensure with nothing new restarts nothing"
    host.sh("nft flush ruleset")
    assert host.ask("check_guard") is False
    assert host.ask("check_guard") is True


ASKING = """
import http.client, sys, time
for _ in range(int(sys.argv[1])):
    asked = http.client.HTTPConnection("10.0.0.2", timeout=10)
    asked.request("GET", "/latest/user-data")
    answer = asked.getresponse()
    print(answer.status, answer.read(), flush=True)
    time.sleep(0.05)
"""


def test_who_asks_while_an_agent_makes_way_for_the_next_waits_and_is_answered(
    host: Host, guest: Guest
) -> None:
    guest.address("10.0.0.5/24", "10.0.0.2")
    asking = subprocess.Popen(
        [*guest.enter(), sys.executable, "-c", ASKING, "60"], stdout=subprocess.PIPE, text=True
    )
    assert asking.stdout is not None
    answers = [asking.stdout.readline() for _ in range(10)]
    for _ in range(2):
        host.stop()
        assert host.sh("ss -Hltn sport = :80", net_only=True) == ""
        host.start()
        answers += [asking.stdout.readline() for _ in range(10)]
    answers += list(asking.stdout)
    asking.stdout.close()
    assert asking.wait(10) == 0
    assert answers == ["200 b'#cloud-config\\nsecret: a'\n"] * 60
    until(lambda: not host.sh("pgrep -f '[a]gent hold'", check=False), 5)  # who held them has given them
    host.kill()
    assert guest.get("http://10.0.0.2/latest/user-data") == "|000", "a crash hands nothing over"


def test_what_was_handed_over_and_is_another_namespaces_is_opened_anew(host: Host, guest: Guest) -> None:
    guest.address("10.0.0.5/24", "10.0.0.2")
    host.stop()
    namespace = host.sh("ls /run/netns").strip()
    host.sh(f"ip netns del {namespace}")
    host.start()
    assert guest.get("http://10.0.0.2/latest/user-data").endswith("secret: a|200")


def test_a_lost_host_file_is_seen_and_written_again(host: Host, guest: Guest) -> None:
    files = host.folder / "run-dhcp"

    def lines() -> list[str]:
        return [path.read_text() for path in files.glob("*/hosts/*")]

    kept, digests = lines(), host.ask("digests")
    assert len(kept) == 1
    for path in files.glob("*/hosts/*"):
        path.unlink()
    assert "nica" not in json.dumps(host.ask("digests")), "the next scan must see that it is not offered"
    host.do("EnsureNic", **nic("a"))
    assert (lines(), host.ask("digests")) == (kept, digests)
    for path in files.glob("*/hosts/*"):
        path.write_text("52:54:00:00:00:0a,10.0.0.77\n")
    until(lambda: lines() == kept, CHECK_SECONDS + 30)
    shutil.rmtree(files)
    until(lambda: lines() == kept, CHECK_SECONDS + 30)
    until(lambda: host.ask("dnsmasq", L3) != 0)
    assert guest.dhcp()["ip"] == "10.0.0.5"
    # Whoever comes next adopts that very server.
    pid = host.ask("dnsmasq", L3)
    host.kill()
    host.start()
    assert host.ask("dnsmasq", L3) == pid


def test_a_rebooted_host_serves_again(host: Host, guest: Guest) -> None:
    guest.close()
    host.reboot()
    assert host.start() < 5
    again = Guest(host, "vnic0.0", MAC_A)
    assert again.dhcp()["ip"] == "10.0.0.5"
    again.address("10.0.0.5/24", "10.0.0.2")
    assert again.get("http://10.0.0.2/latest/user-data").endswith("secret: a|200")
    again.close()


def test_two_hosts_with_the_same_dhcp_address_do_not_meet(wire: Box, host: Host, guest: Guest) -> None:
    twin = Host(wire, "h2")
    try:
        ready(twin)
        twin.do("EnsureNic", **nic("b"))
        there = Guest(twin, "vnic1.0", MAC_B)
        assert there.dhcp()["ip"] == "10.0.0.6"
        there.address("10.0.0.6/24", "10.0.0.2")
        guest.address("10.0.0.5/24", "10.0.0.2")
        # Guests meet over the uplink; their services do not.
        assert guest.sh("ping -c 1 -W 2 10.0.0.6")
        assert guest.get("http://10.0.0.2/latest/user-data").endswith("secret: a|200")
        assert there.get("http://10.0.0.2/latest/user-data").endswith("secret: b|200")
        # With the service of its own host gone a guest finds no other one.
        twin.do("DropNic", nic_uuid="nicb")
        twin.do("DropNetwork", l3_uuid=L3)
        host.do("EnsureNic", **nic("b", nic_uuid="ghost", device="vnic9.0"))
        twin.sh("nft flush ruleset")
        there.sh("ip neigh flush dev eth0")
        assert there.get("http://10.0.0.2/latest/user-data", seconds=1) == "|000"
        assert there.sh("busybox arping -f -c 2 -w 2 -I eth0 10.0.0.2", check=False).count("reply") == 0
        there.sh("ip addr flush dev eth0")
        assert there.dhcp(tries=2) == {}
        # The control: an unguarded host does answer it.
        host.ask("remove_guard")
        assert there.dhcp()["ip"] == "10.0.0.6"
        there.close()
    finally:
        twin.close()


def test_a_nic_is_ready_quickly(host: Host) -> None:
    def ensure(number: int) -> float:
        return host.do("EnsureNic", **nic("a", nic_uuid=f"n{number}", device=f"vnic{number}.0",
                       mac=f"52:54:00:00:01:{number:02x}", ip=f"10.0.0.{100 + number}"))  # fmt: skip

    times = [ensure(number) for number in range(10)]
    print("ensure NIC, ms:", json.dumps([round(t * 1000, 1) for t in times]))
    assert sorted(times)[5] < 0.1


def test_a_nic_of_no_network_is_refused_and_a_bare_one_is_guarded(host: Host) -> None:
    assert host.ask("EnsureNic", **nic("a", l3_uuid="none"))["error"] == "nic.network_missing"
    host.do("EnsureNic", **nic("a", l3_uuid="none", dhcp=False, metadata=None))
    assert host.ask("guarded", "vnic0.0") is True
    assert host.ask("EnsureNic", **nic("b", device='vnic1"; drop'))["error"] == "nic.bad_spec"
    assert host.ask("EnsureNic", **nic("b", mac="01:00:5e:00:00:01"))["error"] == "nic.bad_spec"


def test_a_lease_renews_with_a_server_that_never_saw_it(host: Host, guest: Guest) -> None:
    script = host.folder / "renew.sh"
    script.write_text('#!/bin/sh\necho "$1 $ip"\n')
    script.chmod(0o755)
    with subprocess.Popen(
        [*guest.enter(), "busybox", "udhcpc", "-i", "eth0", "-f", "-n", "-T", "1", "-s", str(script)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as client:  # fmt: skip
        assert client.stdout is not None
        assert client.stdout.readline() == "deconfig \n"
        assert client.stdout.readline() == "bound 10.0.0.5\n"
        guest.address("10.0.0.5/24")
        first = host.ask("dnsmasq", L3)
        host.sh(f"kill -9 {first}")
        until(lambda: host.ask("dnsmasq", L3) not in {0, first})
        client.send_signal(signal.SIGUSR1)
        assert client.stdout.readline() == "renew 10.0.0.5\n"
        client.kill()


FLOOD = """
import select, socket, sys, time
began = time.monotonic()
conns = []
for _ in range(20):
    conns.append(socket.create_connection(("10.0.0.2", 80), timeout=3))
    conns[-1].send(b"GET / HTTP/1.1\\r\\nX: ")
def ended(conn, seconds):
    conn.settimeout(max(seconds, 0.01))
    try:
        return conn.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True
print("at once", sum(ended(c, 0.1) for c in conns), flush=True)
sys.stdin.readline()
print("later", sum(ended(c, began + 11 - time.monotonic()) for c in conns), flush=True)
big = socket.create_connection(("10.0.0.2", 80), timeout=3)
big.sendall(b"GET / HTTP/1.1\\r\\nX: " + b"x" * 9000)
print(big.recv(12).decode())
"""


def test_one_guest_cannot_use_up_the_server(pair: tuple[Guest, Guest]) -> None:
    honest, greedy = pair
    with subprocess.Popen(
        [*greedy.enter(), sys.executable, "-c", FLOOD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as flood:
        assert flood.stdout is not None
        assert flood.stdin is not None
        assert flood.stdout.readline() == "at once 12\n"
        assert honest.get("http://10.0.0.2/latest/user-data", seconds=5).endswith("secret: a|200")
        flood.stdin.write("go on\n")
        flood.stdin.flush()
        assert flood.stdout.readline() == "later 20\n"
        assert flood.stdout.readline() == "HTTP/1.1 431\n"
    # Asking too often is answered with 429, for the one that does it.
    codes = greedy.sh("curl -s -o /dev/null -w '%{http_code} ' 'http://10.0.0.2/?[1-200]'")
    assert codes.split()[:50] == ["200"] * 50
    assert "429" in codes
    assert honest.get("http://10.0.0.2/latest/user-data", seconds=5).endswith("secret: a|200")


def test_two_networks_on_one_bridge_keep_apart(host: Host, guest: Guest) -> None:
    second = "cd" * 16
    host.do("EnsureNetwork", **NETWORK | {"l3_uuid": second, "dhcp_ip": "10.0.1.2", "gateway": "10.0.1.1"})
    host.do("EnsureNic", **nic("b", l3_uuid=second, ip="10.0.1.6", hostname="Guest a!"))
    other = Guest(host, "vnic1.0", MAC_B)
    assert guest.dhcp()["serverid"] == "10.0.0.2"
    lease = other.dhcp()
    assert (lease["ip"], lease["serverid"], lease["router"]) == ("10.0.1.6", "10.0.1.2", "10.0.1.1")
    other.address("10.0.1.6/24", "10.0.1.2")
    assert other.get("http://169.254.169.254/latest/user-data").endswith("secret: b|200")
    other.sh("ip route add 10.0.0.0/24 dev eth0")
    assert other.get("http://10.0.0.2/latest/user-data", seconds=1) == "|000"
    host.do("DropNetwork", l3_uuid=second)
    assert other.get("http://169.254.169.254/latest/user-data", seconds=1) == "|000"
    guest.address("10.0.0.5/24", "10.0.0.2")
    assert guest.get("http://169.254.169.254/latest/user-data").endswith("secret: a|200")
    other.close()


def test_namesakes_are_both_told_their_name(host: Host, guest: Guest) -> None:
    host.do("EnsureNic", **nic("b", hostname="Guest a!"))
    other = Guest(host, "vnic1.0", MAC_B)
    assert [g.dhcp()["hostname"] for g in (guest, other, guest)] == ["guest-a"] * 3
    other.close()
