"""The agent on its host: made of nothing of ours but itself, and back when killed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agent.network import namespace_of
from appliance.lab import LabHost
from tests.e2e import guest as guests
from tests.e2e.guest import Guest
from tests.e2e.stage import Stage, until
from tests.e2e.watch import qemu_of

BACK_SECONDS = 5.0
VERSIONS = "/var/lib/zstui-agent/versions"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def served(cloud: Stage) -> AsyncIterator[Guest]:
    """A guest on the first host, with a network that the agent serves."""
    made = await guests.create(cloud, "served", host=1, user_data="#!/bin/sh\ntrue\n")
    try:
        yield await made.booted()
    finally:
        await cloud.connected()
        await made.destroy()


async def processes(cloud: Stage, machine: LabHost) -> dict[str, set[int]]:
    """The ids, inside a host, of every process that the agent consists of, by what it does."""
    found: dict[str, set[int]] = {name: set() for name in ("serve", "supervise", "attach", "dnsmasq")}
    listed = await cloud.run(machine, "ps", "-eo", "pid=,stat=,args=")
    for line in listed.splitlines():
        pid, stat, argv = line.split(None, 2)
        words = argv.split()
        name = words[-1] if words[0].endswith("/zstui-agent") else words[0]
        if name in found and not stat.startswith("Z"):
            found[name].add(int(pid))
    return found


async def test_the_agent_runs_on_the_libraries_of_its_host(cloud: Stage) -> None:
    for machine in cloud.machines:
        running = await processes(cloud, machine)
        (daemon,) = running["serve"]
        assert (await cloud.run(machine, "readlink", f"/proc/{daemon}/exe")).startswith(VERSIONS)
        mapped = set(
            re.findall(r"(/\S+)$", await cloud.run(machine, "cat", f"/proc/{daemon}/maps"), re.MULTILINE)
        )
        libvirt = {path for path in mapped if "/libvirt.so" in path}
        assert len(libvirt) == 1
        assert "libvirt0" in await cloud.run(machine, "dpkg", "-S", *libvirt)
        # Python itself is the agent's own, whatever the host has.
        pythons = {path for path in mapped if "python" in path.lower()}
        assert pythons
        assert {path for path in pythons if not path.startswith(VERSIONS)} == set()
        shipped = await cloud.run(machine, "find", VERSIONS, "-name", "libvirt*.so*")
        assert "libvirt.so" not in shipped


@pytest.mark.alone
@pytest.mark.parametrize("victims", [("serve",), ("supervise",), ("dnsmasq",), ("attach",), ("serve", "supervise")],
                         ids="+".join)  # fmt: skip
async def test_a_killed_process_is_back(cloud: Stage, served: Guest, victims: tuple[str, ...]) -> None:
    machine = served.host
    await cloud.connected()
    before = await processes(cloud, machine)
    dead = {name: before[name] for name in victims}
    assert all(dead.values()), before
    qemu = qemu_of(served)
    loop = asyncio.get_running_loop()
    await cloud.run(machine, "kill", "-9", *(str(pid) for pids in dead.values() for pid in pids))
    killed = loop.time()

    async def back() -> bool:
        now = await processes(cloud, machine)
        alive = all(len(now[name]) == len(before[name]) for name in before)
        return alive and all(not now[name] & dead[name] for name in dead) and await serves(cloud, served)

    await until(back, BACK_SECONDS, f"the end of the failure of {' and '.join(victims)}")
    print(f"\n{'+'.join(victims)}: back and serving after {loop.time() - killed:.2f} s")
    await cloud.connected(BACK_SECONDS)
    assert qemu_of(served) == qemu
    said = await served.ssh("wget -qO- http://169.254.169.254/latest/meta-data/instance-id")
    assert said.strip() == served.uuid


async def serves(cloud: Stage, served: Guest) -> bool:
    """Whether DHCP and user data are listened for in the guest's network."""
    enter = ["ip", "netns", "exec", namespace_of(str(served.nic["l3NetworkUuid"]))]
    listens = await cloud.run(served.host, *enter, "ss", "-Hlntu")
    return bool(re.search(r"tcp .*:80 ", listens) and re.search(r"udp .*:67 ", listens))
