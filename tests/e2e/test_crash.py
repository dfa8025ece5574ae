"""kill -9 of everything in turn: a create ends whole or not at all, and guests are served meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from appliance.api.errors import ApiError
from appliance.lab import LabHost
from appliance.lab.cloud import tiny_image
from tests.e2e import guest, traces
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.lease import renewed
from tests.e2e.stage import Stage, until, upload_image

FAT_BYTES = 160 << 20
BACK_SECONDS = 5.0
METADATA = "http://169.254.169.254/latest/meta-data/instance-id"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def fat_image(cloud: Stage, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The tiny image with so much behind it that copying it takes a while."""
    path = tmp_path_factory.mktemp("fat") / "fat.qcow2"
    path.write_bytes(tiny_image().read_bytes() + os.urandom(FAT_BYTES))
    image = await upload_image(cloud, "fat", path)
    path.unlink()
    yield image
    await cloud.session.call("DeleteImage", uuid=image)
    await cloud.session.call("ExpungeImage", image_uuid=image)


async def start_create(cloud: Stage, name: str, image: str) -> str:
    """Ask for a VM on the second host, where images must be copied to; the job's uuid."""
    return await cloud.session.call_job(
        "CreateVmInstance",
        name=name,
        instance_offering_uuid=cloud.offering,
        image_uuid=image,
        l3_network_uuids=[cloud.l3],
        host_uuid=await cloud.host_uuid(2),
        system_tags=[f"sshkey::{cloud.public_key}"],
    )


async def kill_at_step(cloud: Stage, name: str, image: str, step: str) -> str:
    """Start a create and kill the appliance when the create is said to be at a step; the job's uuid."""
    ready = asyncio.Event()
    job = ""

    async def watch() -> None:
        async for push in cloud.session.events():
            if push.kind == "ready":
                ready.set()
            if push.resource == "LongJob" and push.inventory.get("step") == step:
                assert push.inventory["name"] == "CreateVmInstance"
                os.kill(cloud.appliance.pid, signal.SIGKILL)
                return

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(watch())
        await ready.wait()
        job = await start_create(cloud, name, image)
    await cloud.appliance.kill()
    return job


async def whole_or_none(cloud: Stage, vm: VmFactory, name: str, job: str, tmp_path: Path) -> None:
    """The job has ended, and there is one whole VM that boots, or no trace of one."""
    try:
        reply = await cloud.session.wait(job, 60)
    except ApiError:
        assert await cloud.session.query("VmInstance", name=name) == []
        assert await traces.in_store(cloud, tmp_path, name) == []
        for host in cloud.machines:
            assert await traces.on_host(cloud, host, name) == []
        return
    (found,) = await cloud.session.query("VmInstance", name=name)
    assert found["uuid"] == reply["inventory"]["uuid"]
    made = Guest(cloud, found)
    try:
        assert made.state == "Running"
        assert [host.number for host in cloud.machines if made.uuid in await cloud.domains(host)] == [2]
        volumes = [
            path for host in cloud.machines for path in await cloud.files(host) if "rootVolumes/" in path
        ]
        assert volumes.count(made.root_volume) == 1
        assert len(volumes) == len(await cloud.session.query("VmInstance"))
        await made.booted()
        assert (await made.ssh("hostname")).strip() == name
        (row,) = await cloud.session.query("LongJob", uuid=job)
        assert row["state"] == "Succeeded"
    finally:
        await made.destroy()


async def test_killed_right_after_the_answer(cloud: Stage, vm: VmFactory, tmp_path: Path) -> None:
    job = await start_create(cloud, "killed-0", cloud.image)
    await cloud.appliance.kill()
    await cloud.appliance.start()
    await whole_or_none(cloud, vm, "killed-0", job, tmp_path)


@pytest.mark.parametrize(
    "step",
    ["copy image to host", "create root volume", "offer address and user data", "define domain", "start"],
)
async def test_killed_in_the_middle_of_a_create(
    cloud: Stage, vm: VmFactory, fat_image: str, tmp_path: Path, step: str
) -> None:
    name = "killed-" + step.split()[0]
    job = await kill_at_step(cloud, name, fat_image, step)
    await cloud.appliance.start()
    await whole_or_none(cloud, vm, name, job, tmp_path)


async def test_a_create_asked_for_twice_with_one_uuid_is_one(cloud: Stage, vm: VmFactory) -> None:
    """A client that lost the answer asks again with the same resourceUuid, after the restart."""
    uuid = uuid4().hex
    await cloud.session.call_job(
        "CreateVmInstance", name="twice", resource_uuid=uuid, instance_offering_uuid=cloud.offering,
        image_uuid=cloud.image, l3_network_uuids=[cloud.l3],
    )  # fmt: skip
    await cloud.appliance.kill()
    await cloud.appliance.start()
    try:
        with pytest.raises(ApiError, match=uuid):
            await guest.create(cloud, "twice", resource_uuid=uuid)

        async def running() -> bool:
            (found,) = await cloud.session.query("VmInstance", name="twice")
            return bool(found["state"] == "Running")

        await until(running, 30, "the VM")
    finally:
        await cloud.session.call("DestroyVmInstance", uuid=uuid, timeout_seconds=60)


@pytest.mark.alone
async def test_the_agent_outlives_kills_without_appliance_and_link(cloud: Stage, vm: VmFactory) -> None:
    """Daemon (which answers for user data too), supervisor and DHCP server: each is back within 5 s."""
    made = await (await vm("served", user_data="#!/bin/sh\ntrue\n")).booted()
    host = made.host
    await cloud.appliance.kill()
    await cloud.lab.cut(host)
    try:
        for process in ("daemon", "supervisor", "dnsmasq"):
            await killed_and_back(cloud, host, process)
            answer = await renewed(cloud, made)
            assert answer.offered == made.ip
            assert (await made.ssh(f"wget -q -O - {METADATA}")).strip() == made.uuid
        assert await made.on()
    finally:
        await cloud.lab.heal(host)
        await cloud.appliance.start()

    # What the guest asked for while nobody could hear of it is on record none the less.
    async def recorded() -> bool:
        fetches = await cloud.session.query("UserdataFetch", vm_instance_uuid=made.uuid)
        return sum(str(fetch["path"]).endswith("instance-id") for fetch in fetches) == 4

    await until(recorded, 30, "the record of fetches made meanwhile")
    (found,) = await cloud.session.query("Host", management_ip=host.address)
    assert found["status"] == "Connected"
    assert (await made.refresh()).state == "Running"


async def killed_and_back(cloud: Stage, host: LabHost, process: str) -> None:
    """Kill -9 one of the agent's processes, and wait at most 5 s for another in its place that answers."""
    before = await processes(cloud, host, process)
    assert before
    began = time.monotonic()
    await cloud.run(host, "kill", "-9", *map(str, before))

    async def back() -> bool:
        now = await processes(cloud, host, process)
        return len(now) == len(before) and not set(now) & set(before)

    await until(back, BACK_SECONDS, f"another {process}")
    if process == "daemon":

        async def answers() -> bool:
            (namespace,) = (await cloud.run(host, "sh", "-c", "ls /run/netns")).split()[:1]
            argv = [
                "ip",
                "netns",
                "exec",
                namespace,
                "curl",
                "-s",
                "-m",
                "1",
                "-o",
                "/dev/null",
                "http://127.0.0.1/",
            ]
            return (await cloud.lab.exec(host, argv)).returncode == 0

        await until(answers, BACK_SECONDS - (time.monotonic() - began), "the metadata server")
    assert time.monotonic() - began < BACK_SECONDS


async def processes(cloud: Stage, host: LabHost, name: str) -> list[int]:
    if name == "dnsmasq":
        return await cloud.pids(host, "^dnsmasq --conf-file=/run/zstui-agent-dhcp")
    pid = (await cloud.run(host, "cat", f"/run/zstui-agent/{name}.pid", check=False)).split()
    alive = pid and (await cloud.lab.exec(host, ["kill", "-0", pid[0]])).returncode == 0
    return [int(pid[0])] if alive else []
