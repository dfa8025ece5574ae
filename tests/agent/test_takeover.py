"""Addresses and routes as `ip` lists them, turned into the commands that move them."""

from __future__ import annotations

import json

from agent.takeover import Belongings, give_back, parse_addresses, parse_routes, take

ADDRESSES = [
    {"family": "inet", "local": "10.9.0.1", "prefixlen": 24, "broadcast": "10.9.0.255", "scope": "global",
     "dynamic": True, "valid_life_time": 600},
    {"family": "inet6", "local": "2001:db8::1", "prefixlen": 64, "scope": "global"},
    {"family": "inet6", "local": "fe80::1", "prefixlen": 64, "scope": "link"},
]  # fmt: skip


def test_addresses_lose_their_lifetime_and_link_local_stays() -> None:
    assert parse_addresses(json.dumps([{"addr_info": ADDRESSES}])) == [
        "10.9.0.1/24 broadcast 10.9.0.255 scope global",
        "2001:db8::1/64 scope global nodad",
    ]


def test_routes_direct_ones_first_and_the_kernels_own_left_out() -> None:
    routes = [
        {"type": "unicast", "dst": "default", "gateway": "10.8.0.1", "protocol": "dhcp", "metric": 100,
         "prefsrc": "10.9.0.7", "table": "main", "scope": "global", "flags": []},
        {"type": "unicast", "dst": "default", "gateway": "2001:db8::ff", "protocol": "ra", "table": "main"},
        {"type": "unicast", "dst": "10.9.0.0/24", "protocol": "kernel", "table": "main", "scope": "link"},
        {"type": "local", "dst": "10.9.0.1", "protocol": "kernel", "table": "local"},
        {"type": "unicast", "dst": "10.8.0.1", "protocol": "boot", "table": "main", "scope": "link"},
        {"type": "unicast", "dst": "1.1.1.1", "gateway": "10.10.0.1", "flags": ["onlink"], "table": "77"},
        {"type": "unicast", "dst": "10.5.0.0/16", "via": {"family": "inet6", "host": "fe80::1"}},
    ]  # fmt: skip
    assert parse_routes(json.dumps(routes)) == [
        "10.8.0.1 proto boot table main scope link",
        "default via 10.8.0.1 proto dhcp metric 100 src 10.9.0.7 table main scope global",
        "::/0 via 2001:db8::ff proto ra table main",
        "1.1.1.1 via 10.10.0.1 table 77 onlink",
        "10.5.0.0/16 via inet6 fe80::1",
    ]


def test_there_and_back() -> None:
    held = Belongings(mac="52:54:00:00:00:01", addresses=["10.9.0.1/24"], routes=["default via 10.9.0.254"])
    assert take("eth0", "br_eth0", held) == [
        "link set dev br_eth0 address 52:54:00:00:00:01",
        "addr flush dev eth0 scope global",
        "addr flush dev eth0 scope site",
        "link set dev eth0 master br_eth0",
        "link set dev eth0 up",
        "link set dev br_eth0 up",
        "addr add 10.9.0.1/24 dev br_eth0",
        "route replace default via 10.9.0.254 dev br_eth0",
    ]
    assert give_back("eth0", "br_eth0", held)[-3:] == [
        "addr add 10.9.0.1/24 dev eth0",
        "route replace default via 10.9.0.254 dev eth0",
        "link del dev br_eth0",
    ]
