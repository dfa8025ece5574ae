"""A hostile guest beside an honest one on the same host: what it tries, seen from inside of both.

Each attempt has its control: what the same words bring when they are honest, so that nothing passes by being broken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.e2e import guest
from tests.e2e.guest import Guest
from tests.e2e.stage import Stage

SERVICE = "169.254.169.254"
OURS, THEIRS = "#!/bin/sh\necho of-the-attacker\n", "#!/bin/sh\necho of-the-victim\n"
CLOSED = (22, 53, 5900, 8080, 16509)


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


async def test_no_port_of_the_host_is_open_but_its_service(two: Two) -> None:
    tried = "; ".join(
        f"nc -w 1 {SERVICE} {port} </dev/null >/dev/null 2>&1 && echo {port}" for port in (*CLOSED, 80)
    )
    assert (await two.attacker.ssh(f"{tried}; true")).split() == ["80"]


async def test_a_greedy_guest_holds_up_nobody(two: Two) -> None:
    flood = (
        f"for n in $(seq 30); do (sleep 8 | nc {SERVICE} 80 >/dev/null 2>&1) & done; "
        f"for n in $(seq 300); do wget -q -O /dev/null http://{SERVICE}/ || echo refused; done"
    )
    assert "refused" in await two.attacker.ssh(flood, seconds=60)
    assert "of-the-victim" in await raw(two.victim, get("/latest/user-data"))
