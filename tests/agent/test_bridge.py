"""Bridges on hosts in namespaces: plain, over the only interface, over a VLAN, and after a reboot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agent.bridge import vlan_commands
from agent.protocol import EnsureBridge
from tests.agent.netlab import Box, Host, switch, until

lab = [pytest.mark.lab, pytest.mark.timeout(60)]


def test_vlan_commands() -> None:
    request = EnsureBridge(l2_uuid="l2", bridge="br_eth1_100", physical_interface="eth1", vlan=100)
    assert vlan_commands(request) == [
        "link set dev eth1 up",
        "link add link eth1 name eth1.100 type vlan id 100",
        "link set dev eth1.100 up",
    ]


@pytest.fixture
def wire() -> Iterator[Box]:
    box = switch()
    box.sh("ip addr add 10.9.0.254/24 dev sw; ip -6 addr add 2001:db8::ff/64 dev sw nodad")
    yield box
    box.close()


@pytest.fixture
def host(wire: Box) -> Iterator[Host]:
    made = Host(wire, "h1", "eth0")
    configure(made)
    made.start()
    yield made
    made.close()


def configure(host: Host) -> None:
    """The only interface of a host: two addresses of each family, and routes of every sort."""
    host.sh("""
        ip addr add 10.9.0.1/24 broadcast + dev eth0
        ip addr add 10.9.0.7/24 dev eth0
        ip -6 addr add 2001:db8::1/64 dev eth0 nodad
        ip route add default via 10.9.0.254 proto dhcp metric 100 src 10.9.0.7
        ip -6 route add default via 2001:db8::ff
        ip route add 10.8.0.0/16 dev eth0 scope link
        ip route add 192.0.2.1/32 via 10.10.0.1 dev eth0 onlink
        ip route add 10.7.0.0/16 via 10.9.0.254 table 77
    """)


def state(host: Host, device: str) -> tuple[list[str], list[str]]:
    addresses = [
        f"{a['local']}/{a['prefixlen']} {a.get('broadcast', '')}"
        for item in json.loads(host.sh(f"ip -j addr show dev {device}"))
        for a in item["addr_info"]
        if a["scope"] != "link"
    ]
    routes = host.sh(f"ip route show table all dev {device}; ip -6 route show table all dev {device}")
    return sorted(addresses), sorted(
        r.strip() for r in routes.splitlines() if "fe80" not in r and "ff00" not in r
    )


def link(host: Host, device: str) -> Any:
    return json.loads(host.sh(f"ip -j -d link show dev {device}"))[0]


def reachable(wire: Box) -> bool:
    return "1 received" in wire.sh("ping -c 1 -W 1 10.9.0.1", check=False)


def turning_back(host: Host) -> str:
    """The process that waits to give addresses back; empty where none does."""
    return host.sh("pgrep -f '[ ]turnback ' | tr '\\n' ' '").strip()


TAKE = {"l2_uuid": "l2", "bridge": "br_eth0", "physical_interface": "eth0"}


class TestTakeOver:
    pytestmark = lab

    def test_confirmed(self, wire: Box, host: Host) -> None:
        addresses, routes = state(host, "eth0")
        seconds = host.do("EnsureBridge", **TAKE, confirm_seconds=2.0)
        print("take over, ms:", round(seconds * 1000, 1))
        assert reachable(wire)
        assert state(host, "br_eth0") == (addresses, routes)
        assert state(host, "eth0") == ([], [])
        assert link(host, "br_eth0")["address"] == link(host, "eth0")["address"]
        assert host.ask("digests")[0] == {}, "what may yet be undone is not reported as done"
        host.do("ConfirmBridge", bridge="br_eth0")
        assert list(host.ask("digests")[0]) == ["l2"]
        host.kill()
        host.start()
        assert state(host, "br_eth0") == (addresses, routes)
        host.do("DropBridge", l2_uuid="l2", bridge="br_eth0")
        assert state(host, "eth0") == (addresses, routes)
        assert "br_eth0" not in host.sh("ip link")
        assert reachable(wire)

    def test_not_confirmed(self, wire: Box, host: Host) -> None:
        before = state(host, "eth0")
        host.do("EnsureBridge", **TAKE, confirm_seconds=3.0)
        assert state(host, "br_eth0")[0] == before[0]
        until(lambda: "br_eth0" not in host.sh("ip link"))
        assert state(host, "eth0") == before
        assert reachable(wire)
        assert host.ask("ConfirmBridge", bridge="br_eth0")["error"] == "bridge.unknown"

    def test_not_confirmed_and_no_agent_left_to_know(self, wire: Box, host: Host) -> None:
        before = state(host, "eth0")
        host.do("EnsureBridge", **TAKE, confirm_seconds=3.0)
        host.kill()
        assert "br_eth0" in host.sh("ip link")
        until(lambda: "br_eth0" not in host.sh("ip link"))
        assert state(host, "eth0") == before
        assert reachable(wire)
        host.start()
        assert host.ask("ConfirmBridge", bridge="br_eth0")["error"] == "bridge.unknown"
        host.do("EnsureBridge", **TAKE)
        host.do("ConfirmBridge", bridge="br_eth0")
        assert list(host.ask("digests")[0]) == ["l2"]

    def test_not_confirmed_and_everything_killed_until_an_agent_comes_back(
        self, wire: Box, host: Host
    ) -> None:
        before = state(host, "eth0")
        host.do("EnsureBridge", **TAKE, confirm_seconds=3.0)
        host.kill()
        host.sh(f"kill -9 {turning_back(host)}")
        host.start()
        until(lambda: "br_eth0" not in host.sh("ip link"))
        assert state(host, "eth0") == before
        assert reachable(wire)

    def test_what_stands_by_comes_back_and_goes_when_confirmed(self, wire: Box, host: Host) -> None:
        host.do("EnsureBridge", **TAKE)
        killed = turning_back(host)
        host.sh(f"kill -9 {killed}")
        assert until(lambda: turning_back(host)) != killed
        host.do("ConfirmBridge", bridge="br_eth0")
        until(lambda: not turning_back(host))
        assert reachable(wire)

    def test_restored_after_a_reboot_once_confirmed(self, wire: Box, host: Host) -> None:
        host.do("EnsureBridge", **TAKE)
        host.do("ConfirmBridge", bridge="br_eth0")
        digests = host.ask("digests")
        host.reboot()
        configure(host)
        before = state(host, "eth0")
        host.start()
        assert state(host, "br_eth0") == before
        assert host.ask("digests") == digests
        assert reachable(wire)

    def test_restored_where_the_host_configures_nothing(self, wire: Box, host: Host) -> None:
        host.do("EnsureBridge", **TAKE)
        host.do("ConfirmBridge", bridge="br_eth0")
        before = state(host, "br_eth0")
        host.reboot()
        host.start()
        assert state(host, "br_eth0") == before
        assert reachable(wire)

    def test_an_interface_that_came_late(self, wire: Box, host: Host) -> None:
        host.do("EnsureBridge", **TAKE)
        host.do("ConfirmBridge", bridge="br_eth0")
        digests = host.ask("digests")
        host.reboot()
        host.sh("ip link set dev eth0 name late0")
        host.start()
        assert host.ask("digests")[0] == {}
        host.sh("ip link set dev late0 down; ip link set dev late0 name eth0; ip link set dev eth0 up")
        until(lambda: host.ask("digests") == digests, 10)
        assert reachable(wire)


class TestPlain:
    pytestmark = lab

    def test_spanning_tree_is_off_and_repeating_changes_nothing(self, wire: Box) -> None:
        host = Host(wire, "h2")
        try:
            host.start()
            host.do("EnsureBridge", l2_uuid="l2", bridge="br_eth1", physical_interface="eth1")
            bridge = json.loads(host.sh("ip -j -d link show dev br_eth1"))[0]
            assert bridge["linkinfo"]["info_data"]["stp_state"] == 0
            assert bridge["linkinfo"]["info_data"]["forward_delay"] == 0
            assert "UP" in bridge["flags"]
            assert bridge["address"] == json.loads(host.sh("ip -j link show dev eth1"))[0]["address"]
            host.do("EnsureBridge", l2_uuid="l2", bridge="br_eth1", physical_interface="eth1")
            assert json.loads(host.sh("ip -j link show dev br_eth1"))[0]["ifindex"] == bridge["ifindex"]
            host.reboot()
            host.start()
            assert json.loads(host.sh("ip -j link show dev eth1"))[0]["master"] == "br_eth1"
            host.do("DropBridge", l2_uuid="l2", bridge="br_eth1")
            assert "br_eth1" not in host.sh("ip link")
        finally:
            host.close()

    def test_without_an_uplink(self, wire: Box) -> None:
        host = Host(wire, "h2")
        try:
            host.start()
            host.do("EnsureBridge", l2_uuid="l2", bridge="br0", physical_interface="")
            network = {"l3_uuid": "l3", "dhcp_ip": "10.0.0.2", "netmask": "255.255.255.0", "gateway": ""}
            host.do("EnsureNetwork", bridge="br0", physical_interface="", **network)
            assert "UP" in link(host, "br0")["flags"]
            host.do("DropNetwork", l3_uuid="l3")
            host.do("DropBridge", l2_uuid="l2", bridge="br0")
            assert "br0" not in host.sh("ip link")
        finally:
            host.close()

    def test_what_cannot_be_is_refused(self, wire: Box) -> None:
        host = Host(wire, "h2")
        try:
            host.start()

            def error(interface: str, bridge: str = "br0", vlan: int | None = None) -> str:
                answer = host.ask(
                    "EnsureBridge", l2_uuid="x", bridge=bridge, physical_interface=interface, vlan=vlan
                )
                return str(answer["error"])

            assert error("eth9") == "bridge.interface_missing"
            assert error("lo") == "bridge.interface_unfit"
            assert error("eth1", bridge="eth1") == "bridge.name_taken"
            assert error("eth1", bridge="a b") == "bridge.bad_name"
            host.sh("ip link add name theirs type bridge; ip link set dev eth1 master theirs")
            assert error("eth1") == "bridge.interface_taken"
            assert host.ask("digests")[0] == {}
        finally:
            host.close()

    def test_a_kernel_without_vlans_is_named(self, wire: Box) -> None:
        host = Host(wire, "h2")
        try:
            host.start()
            answer = host.ask("EnsureBridge", l2_uuid="x", bridge="br0", physical_interface="eth1", vlan=100)
            if isinstance(answer, float):
                assert json.loads(host.sh("ip -j link show dev eth1.100"))[0]["master"] == "br0"
                return
            assert answer["error"] == "bridge.vlan_unsupported"
            assert "100" in answer["message"]
            assert "br0" not in host.sh("ip link")
        finally:
            host.close()
