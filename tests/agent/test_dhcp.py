"""dnsmasq's configuration and host lines: nothing a user typed gets into them but as what it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dhcp import configuration, host_line, label
from agent.protocol import EnsureNetwork, EnsureNic


def network(**changes: object) -> EnsureNetwork:
    fields = {
        "l3_uuid": "l", "bridge": "br", "physical_interface": "eth1", "dhcp_ip": "10.0.3.2",
        "netmask": "255.255.252.0", "gateway": "10.0.0.1", "dns": ["1.1.1.1", "9.9.9.9"], "domain": "a.test",
    } | changes  # fmt: skip
    return EnsureNetwork(**fields)  # type: ignore[arg-type]


def lines(**changes: object) -> list[str]:
    return configuration(network(**changes), Path("/d"), "dnsmasq", "nogroup").splitlines()


def test_routes_are_said_twice_only_with_user_data() -> None:
    routes = "169.254.169.254/32,10.0.3.2,0.0.0.0/0,10.0.0.1"
    with_user_data = lines(userdata=True)
    assert f"dhcp-option=tag:primary,121,{routes}" in with_user_data
    assert f"dhcp-option=tag:primary,249,{routes}" in with_user_data
    assert not [line for line in lines() if ",121," in line or ",249," in line]


def test_only_known_hosts_of_the_subnet_are_served() -> None:
    found = lines(lease_seconds=10)
    assert "dhcp-range=10.0.0.0,static,255.255.252.0,120" in found, "dnsmasq knows no shorter lease"
    assert "dhcp-ignore=tag:!known" in found
    assert "port=0" in found
    assert not [line for line in found if "script" in line or "tftp" in line]


def test_a_network_without_gateway_and_name_servers() -> None:
    found = lines(gateway="", dns=[], userdata=True)
    assert "dhcp-option=tag:primary,3" in found
    assert "dhcp-option=tag:primary,6" in found
    assert "dhcp-option=tag:primary,121,169.254.169.254/32,10.0.3.2" in found


@pytest.mark.parametrize("domain", ["", "a b", "a\nport=53", "-a", "a,1.2.3.4"])
def test_a_domain_that_is_none_is_left_out(domain: str) -> None:
    assert not [line for line in lines(domain=domain) if line.startswith("domain")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Web 1", "web-1"),
        ("日本", ""),
        ("a_b.c", "a-b-c"),
        ("x" * 80, "x" * 63),
        ("--", ""),
        ("a,1.2.3.4\n", "a-1-2-3-4"),
    ],
)
def test_labels(name: str, expected: str) -> None:
    assert label(name) == expected


@given(st.text())
def test_a_host_line_reads_back_whatever_the_name(name: str) -> None:
    nic = EnsureNic(
        nic_uuid="n", vm_uuid="v", l3_uuid="l", device="vnic1.0", bridge="br", mac="52:54:00:AA:00:01",
        ip="10.0.0.5", hostname=name, primary=True,
    )  # fmt: skip
    line = host_line(nic)
    assert line.count("\n") == 1
    fields = line.strip().split(",")
    assert fields[:3] == ["52:54:00:aa:00:01", "set:primary", "10.0.0.5"]
    assert len(fields) <= 4
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", field) for field in fields[3:])
