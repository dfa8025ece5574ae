"""A cloud that one version made is driven by the next, and by the first again: its guests go on and are served."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from agent.network import namespace_of
from appliance.client import Session
from appliance.hosts.deploy import VERSIONS
from appliance.lab import Lab
from appliance.lab.cloud import tiny_image
from appliance.lab.machine import make_key
from appliance.store.migrations import latest
from tests.e2e import guest as guests
from tests.e2e import stage
from tests.e2e.appliance_process import TREE, ApplianceProcess
from tests.e2e.guest import Guest
from tests.e2e.lease import renewed
from tests.e2e.stage import Stage
from tests.e2e.watch import qemu_of
from tests.later import VERSION, later

PINGS_PER_SECOND = 5
CALM_SECONDS = 2.0
RENEWED_SECONDS = 120.0
USER_DATA = "#!/bin/sh\necho served\n"
ASKING = """
while [ ! -e /tmp/enough ]; do
    timeout 10 wget -q -O /tmp/got http://169.254.169.254/latest/user-data
    echo "$? $(head -n 1 /tmp/got)" >>/tmp/asked
    rm -f /tmp/got
    udhcpc -f -q -n -i eth0 -s /bin/true -t 1 -T 5 >/dev/null 2>&1
    echo $? >>/tmp/leased
    sleep 0.3
done
"""
"""What a guest does all the time, without changing anything of its own: ask for its user data and for its address."""


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def aging(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A cloud of this version's, on two hosts, with an appliance that may become the next version."""
    lab = Lab(f"e2eu-{os.getpid()}", 2)
    process = ApplianceProcess(tmp_path_factory.mktemp("aging") / "data")
    try:
        machines = await lab.up()
        await make_key(lab.folder / "guest_key", "e2e")
        await process.start()
        async with await Session.connect(process.socket) as session:
            made = Stage(lab, process, session, machines)
            await stage.build(made, os.getpid() % 250)
        yield made
    finally:
        await process.stop()
        await lab.purge()


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def next_version() -> Path:
    """The tree of the next version, with its agent frozen; that is kept for as long as nothing of it changes."""
    tree = later(TREE / "build/later")
    kernel = tiny_image().with_name("vmlinuz")
    argv = [sys.executable, "packaging/agent.py", "--vmlinuz", str(kernel)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = await asyncio.to_thread(
        subprocess.run,
        argv,
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return tree


class Witness:
    """Looks at one guest all the time: is it reached, is it given its address, has it its user data."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self._log = f"/tmp/pinged-{guest.uuid}"
        self._pinging = ""

    async def begin(self) -> None:
        stage, host, l3 = self.guest.stage, self.guest.host, str(self.guest.nic["l3NetworkUuid"])
        ping = f"ping -n -i {1 / PINGS_PER_SECOND} {self.guest.ip} </dev/null >{self._log} 2>&1 & echo $!"
        self._pinging = (await stage.in_network(host, l3, ["sh", "-c", ping])).stdout.strip()
        await self.guest.ssh(
            f"cd /tmp; rm -f enough asked leased; cat >asking <<'END'\n{ASKING}END\n"
            "setsid sh asking </dev/null >/dev/null 2>&1 &"
        )

    async def end(self) -> None:
        """See that nothing was missed."""
        await self.guest.ssh("touch /tmp/enough")
        await asyncio.sleep(CALM_SECONDS)
        stage, host = self.guest.stage, self.guest.host
        await stage.run(host, "kill", "-INT", self._pinging)
        pinged = await stage.run(host, "cat", self._log)
        seen = [int(number) for number in re.findall(r"icmp_seq=(\d+) ttl", pinged)]
        assert sorted(seen) == list(range(1, len(seen) + 1)), pinged[-3000:]
        asked = (await self.guest.ssh("cat /tmp/asked")).splitlines()
        assert set(asked) == {f"0 {USER_DATA.splitlines()[0]}"}, asked
        leased = (await self.guest.ssh("cat /tmp/leased")).splitlines()
        assert set(leased) == {"0"}, leased
        print(f"\n{host.name}: {len(seen)} pings, {len(asked)} user data, {len(leased)} leases: none missed")
        assert min(len(seen), len(asked), len(leased)) > 5


@contextlib.asynccontextmanager
async def witnessed(made: list[Guest]) -> AsyncIterator[None]:
    """See that guests go on and are served from before the body until after it."""
    witnesses = [Witness(guest) for guest in made]
    await asyncio.gather(*(witness.begin() for witness in witnesses))
    await asyncio.sleep(CALM_SECONDS)
    yield
    await asyncio.gather(*(renewed(guest.stage, guest) for guest in made))
    await asyncio.sleep(CALM_SECONDS)
    await asyncio.gather(*(witness.end() for witness in witnesses))


async def test_a_cloud_goes_to_the_next_version_and_back_without_its_guests_noticing(
    aging: Stage, next_version: Path
) -> None:
    appliance = aging.appliance
    async with await Session.connect(appliance.socket) as aging.session:
        made = await asyncio.gather(*(served(aging, number) for number in (1, 2)))
        first, own = await versions(aging), await programs(aging)
        for machine in aging.machines:
            await aging.run(machine, "mkdir", "-p", *(f"{VERSIONS}/{digit * 16}" for digit in "ab"))
            await aging.run(
                machine, "touch", "-d", "2001-01-01", *(f"{VERSIONS}/{digit * 16}" for digit in "ab")
            )
        assert "is renewed" not in appliance.log(), "who has no agent yet waits for nobody"

    before = await asyncio.gather(*map(lives, made))
    async with witnessed(made):
        said = await become(aging, next_version, {VERSION})
        # Both hosts were reached at once, and one of them waited for the other: nobody saw it go meanwhile.
        assert len(re.findall("is another version's, and is renewed", said)) == 2, said
        assert len(re.findall("waits for its turn to get this version's agent", said)) == 1, said
    assert await asyncio.gather(*map(lives, made)) == before
    async with await Session.connect(appliance.socket) as aging.session:
        assert (await aging.session.call("GetVersion"))["version"] == VERSION
        assert {version.partition("+")[0] for version in await versions(aging)} == {VERSION}
        assert not await programs(aging) & own
        await only_stays(aging, await programs(aging) | own)
        assert [(await guest.refresh()).state for guest in made] == ["Running", "Running"]
        (guest, _), length = made, len(made[0].serial())
        assert (await guest.stop()).state == "Stopped"
        assert not await guest.on()
        await (await guest.start()).booted(after=length)

    before = await asyncio.gather(*map(lives, made))
    async with witnessed(made):
        await appliance.stop()
        appliance.tree = TREE
        refused = await appliance.run("--serve")
        assert "which a later zstui wrote" in refused.stderr
        copy = appliance.folder / "backups" / f"before-version-{latest() + 1}.db"
        restored = await appliance.run("restore", str(copy))
        assert restored.returncode == 0, restored.stderr
        await become(aging, TREE, {version.partition("+")[0] for version in first})
    assert await asyncio.gather(*map(lives, made)) == before
    async with await Session.connect(appliance.socket) as aging.session:
        assert (await versions(aging), await programs(aging)) == (first, own)
        assert [(await guest.refresh()).state for guest in made] == ["Running", "Running"]


async def served(aging: Stage, number: int) -> Guest:
    """A guest on a host."""
    made = await guests.create(aging, f"served{number}", host=number, user_data=USER_DATA)
    return await made.booted()


async def become(aging: Stage, tree: Path, expected: set[str]) -> str:
    """Have the appliance run from a tree, and wait until all hosts are connected by its agents; what it said."""
    await aging.appliance.stop()
    length = len(aging.appliance.log().encode())
    aging.appliance.tree = tree
    await aging.appliance.start()
    async with await Session.connect(aging.appliance.socket) as aging.session:
        await aging.connected()
        async with asyncio.timeout(RENEWED_SECONDS):
            while {version.partition("+")[0] for version in await versions(aging)} != expected:
                await asyncio.sleep(0.2)
        await aging.connected()
    return aging.appliance.log(length)


async def only_stays(aging: Stage, kept: set[str]) -> None:
    """See that hosts have the agents that run and ran last, and none from before."""
    async with asyncio.timeout(RENEWED_SECONDS):
        for machine in aging.machines:
            while set((await aging.run(machine, "ls", VERSIONS)).split()) != kept:
                await asyncio.sleep(0.2)


async def versions(aging: Stage) -> set[str]:
    """What the hosts' agents say that they are."""
    return {str(host["agentVersion"]) for host in await aging.session.query("Host")}


async def programs(aging: Stage) -> set[str]:
    """The folders of the agents that run on the hosts."""
    listed = [await aging.run(machine, "ps", "-eo", "args=") for machine in aging.machines]
    return set(re.findall(r"^/var/lib/zstui-agent/versions/(\w+)/", "".join(listed), re.MULTILINE))


async def lives(guest: Guest) -> tuple[int, str, list[int]]:
    """What is another one when a guest or its DHCP server has been started again: QEMU, kernel, dnsmasq."""
    boot = await guest.ssh("cat /proc/sys/kernel/random/boot_id")
    namespace = namespace_of(str(guest.nic["l3NetworkUuid"]))
    servers = await guest.stage.pids(guest.host, f"dnsmasq.*{namespace}")
    assert servers
    return qemu_of(guest), boot, servers
