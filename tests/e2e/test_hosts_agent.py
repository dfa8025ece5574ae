"""The agent on its host: made of nothing of ours but itself, back when killed, replaced by a newer one."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from agent.network import namespace_of
from appliance.config import agent_bundle
from appliance.lab import LabHost
from appliance.lab.cloud import tiny_image
from tests.e2e import guest as guests
from tests.e2e.appliance_process import TREE
from tests.e2e.guest import Guest
from tests.e2e.stage import Stage, until
from tests.e2e.watch import qemu_of

BACK_SECONDS = 5.0
VERSIONS = "/var/lib/zstui-agent/versions"
OTHER = "9.9.9-e2e"


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


@pytest.mark.timeout(400)
async def test_another_version_replaces_the_one_that_runs(
    cloud: Stage, served: Guest, tmp_path: Path
) -> None:
    other = await asyncio.to_thread(freeze_another, tmp_path)
    assert other.name != agent_bundle().name
    machine, first = served.host, await versions(cloud)
    before, qemu = await processes(cloud, machine), qemu_of(served)
    boot = await served.ssh("cat /proc/sys/kernel/random/boot_id")
    try:
        await cloud.appliance.stop()
        cloud.appliance.settings["ZSTUI_AGENT_BUNDLE"] = str(other)
        await cloud.restart()
        assert {version.partition("+")[0] for version in await versions(cloud)} == {OTHER}
        now = await processes(cloud, machine)
        for name in ("serve", "supervise"):
            (pid,) = now[name]
            assert pid not in before[name]
            own = other.name.removesuffix(".tar.gz").removeprefix("zstui-agent-")
            assert f"{VERSIONS}/{own}/" in await cloud.run(machine, "readlink", f"/proc/{pid}/exe")
        # What serves the guests goes on as it is.
        assert now["dnsmasq"] == before["dnsmasq"]
        assert qemu_of(served) == qemu
        assert (await served.refresh()).state == "Running"
        assert await served.ssh("cat /proc/sys/kernel/random/boot_id") == boot
        said = await served.ssh("wget -qO- http://169.254.169.254/latest/meta-data/instance-id")
        assert said.strip() == served.uuid
    finally:
        if cloud.appliance.running:
            await cloud.appliance.stop()
        cloud.appliance.settings.clear()
        await cloud.restart()
    assert await versions(cloud) == first
    assert qemu_of(served) == qemu


async def versions(cloud: Stage) -> set[str]:
    """What the hosts' agents say that they are."""
    return {str(host["agentVersion"]) for host in await cloud.session.query("Host")}


def freeze_another(folder: Path) -> Path:
    """The archive of an agent that differs in its version alone."""
    for part in ("agent", "packaging"):
        subprocess.run(["cp", "-r", str(TREE / part), str(folder)], check=True)
    module = folder / "agent/version.py"
    module.write_text(re.sub(r'AGENT_VERSION = ".*"', f'AGENT_VERSION = "{OTHER}"', module.read_text()))
    kernel = tiny_image().with_name("vmlinuz")
    argv = [sys.executable, "packaging/agent.py", "--vmlinuz", str(kernel), "--output", str(folder / "out")]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return Path(done.stdout.strip())
