"""The guard's table: content from NICs and networks, changes between contents, and nft's own word on it."""

from __future__ import annotations

import json
import subprocess

import pytest

from agent.guard import Elements, GuardedNetwork, GuardedNic, change, elements, parse, whole
from tests.agent.netlab import Box

NETWORK = GuardedNetwork(
    service="zs01", service_mac="02:00:00:00:00:01", uplinks=("eth1",), dhcp_ip="10.0.0.2", userdata=True
)
NIC = GuardedNic(device="vnic1.0", mac="52:54:00:00:00:0A", ip="10.0.0.5", l3_uuid="l3")


def test_content() -> None:
    found = elements([NIC], {"l3": NETWORK})
    assert found["owned"] == {'"vnic1.0" . 52:54:00:00:00:0a . 10.0.0.5'}
    assert found["clients"] == {'"vnic1.0" . 0x52540000000a'}
    assert found["reach"] == {'"vnic1.0" . "zs01"'}
    assert found["detour"] == {'"vnic1.0" : 02:00:00:00:00:01'}
    assert found["kept"] == {'"eth1" . 10.0.0.2', '"eth1" . 169.254.169.254'}


def test_a_nic_of_no_network_reaches_no_service() -> None:
    found = elements([NIC], {})
    assert found["ports"] == {'"vnic1.0"'}
    assert not found["reach"]
    assert not found["detour"]


def test_a_change_removes_before_it_adds() -> None:
    old = {"ports": frozenset({'"a"', '"b"'})}
    new = {"ports": frozenset({'"b"', '"c"'})}
    assert change(old, new).splitlines() == [
        'delete element bridge zstui-guard ports { "a" }',
        'add element bridge zstui-guard ports { "c" }',
    ]
    assert change(old, old) == ""


@pytest.mark.lab
def test_nft_takes_every_script_and_lists_what_it_was_given() -> None:
    box = Box()

    def nft(script: str) -> Elements:
        subprocess.run([*box.enter(), "nft", "-f", "-"], input=script, text=True, check=True, timeout=10)
        content, rules = parse(box.sh("nft -j list table bridge zstui-guard"))
        assert rules > 20
        return content

    try:
        first = elements([NIC], {"l3": NETWORK})
        assert nft(whole(first)) == first
        other = GuardedNic(device="vnic2.1", mac="fe:00:00:00:00:01", ip="10.0.0.6", l3_uuid="l3")
        second = elements([other], {"l3": NETWORK})
        assert nft(change(first, second)) == second
        assert nft(whole(first)) == first, "whatever was there, the whole replaces it"
        empty = elements([], {})
        assert nft(change(first, empty)) == empty
    finally:
        box.close()


def test_a_listing_with_nothing_of_ours_is_empty() -> None:
    assert parse(json.dumps({"nftables": [{"metainfo": {}}]})) == ({}, 0)
