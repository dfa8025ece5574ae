"""Snapshots of real guests' disks: taken while they write, gone back to, deleted, and the bytes that are there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.conftest import VmFactory
from tests.e2e.guest import Guest
from tests.e2e.stage import STORAGE, Stage, until

GIB = 1 << 30


@pytest_asyncio.fixture(loop_scope="session")
async def data(cloud: Stage) -> AsyncIterator[dict[str, Any]]:
    """A new data volume of 1 GiB, and nothing of it on any host afterwards."""
    call = cloud.session.call
    disk = (await call("CreateDiskOffering", name="disk", disk_size=GIB))["inventory"]["uuid"]
    made = (await call("CreateDataVolume", name="data", disk_offering_uuid=disk))["inventory"]
    yield made
    for left in await cloud.session.query("Volume", uuid=made["uuid"]):
        if left["status"] != "Deleted":
            await call("DeleteDataVolume", uuid=made["uuid"], timeout_seconds=60)
        await call("ExpungeDataVolume", uuid=made["uuid"], timeout_seconds=60)
    await call("DeleteDiskOffering", uuid=disk)


async def snap(cloud: Stage, uuid: str, name: str) -> str:
    reply = await cloud.session.call("CreateVolumeSnapshot", volume_uuid=uuid, name=name, timeout_seconds=60)
    assert (reply["inventory"]["status"], int(reply["inventory"]["size"]) > 0) == ("Ready", True)
    return str(reply["inventory"]["uuid"])


async def write(guest: Guest, place: int, word: str) -> None:
    put = f"printf %-8s {word} | dd of=/dev/vdb bs=1M seek={place} conv=notrunc 2>/dev/null"
    await guest.ssh(f"test -b /dev/vdb && {put} && sync")  # or dd would make a file of that name


async def has_disk(guest: Guest) -> bool:
    return "there" in await guest.ssh("test -b /dev/vdb && echo there", check=False)


async def words(guest: Guest) -> list[str]:
    """What stands at the first four places."""
    read = "for i in 0 1 2 3; do dd if=/dev/vdb bs=1M skip=$i count=1 2>/dev/null | head -c 8; echo; done"
    return [line.replace("\0", "").strip() for line in (await guest.ssh(read)).split("\n")[:4]]


async def chain(cloud: Stage, guest: Guest, uuid: str) -> list[str]:
    """The files of a volume from the one that is written down, each found sound."""
    (volume,) = await cloud.session.query("Volume", uuid=uuid)
    path = str(volume["installPath"])
    info = ["qemu-img", "info", "-U", "--backing-chain", "--output=json", path]
    return [str(each["filename"]) for each in json.loads(await cloud.run(guest.host, *info))]


@pytest.mark.timeout(300)
async def test_a_disk_is_what_it_was_at_each_of_its_snapshots(
    cloud: Stage, vm: VmFactory, data: dict[str, Any]
) -> None:
    call = cloud.session.call
    one = await (await vm("kept", host=1)).booted()
    await call(
        "AttachDataVolumeToVm", vm_instance_uuid=one.uuid, volume_uuid=data["uuid"], timeout_seconds=60
    )
    await until(lambda: has_disk(one), what="the volume in the guest")
    taken = []
    for place, word in enumerate(("first", "second", "third")):
        await write(one, place, word)
        taken.append(await snap(cloud, data["uuid"], word))
    await write(one, 3, "last")
    everything = ["first", "second", "third", "last"]
    assert await words(one) == everything
    files = await chain(cloud, one, data["uuid"])
    assert len(files) == 4
    assert files[0] in await cloud.virsh(one.host, "domblklist", one.uuid)
    assert files[0] in await cloud.virsh(one.host, "domblklist", one.uuid, "--inactive")

    await call("DeleteVolumeSnapshot", uuid=taken[2], timeout_seconds=120)
    assert await chain(cloud, one, data["uuid"]) == [files[0], *files[2:]]
    assert files[1] not in await cloud.files(one.host, STORAGE)
    assert await words(one) == everything

    root = await snap(cloud, str(one.inventory["rootVolumeUuid"]), "root")
    await one.ssh("echo kept >/root/after; sync")
    await one.stop()
    await call("RevertVolumeFromSnapshot", uuid=taken[0], timeout_seconds=60)
    await call("RevertVolumeFromSnapshot", uuid=root, timeout_seconds=60)
    told = len(one.serial())
    await (await one.start()).booted(after=told)
    assert await words(one) == ["first", "", "", ""]
    assert await one.ssh("ls /root/after", check=False) == ""

    await one.stop()
    await call("RevertVolumeFromSnapshot", uuid=taken[1], timeout_seconds=60)
    await call("DeleteVolumeSnapshot", uuid=taken[0], timeout_seconds=120)
    (left,) = await chain(cloud, one, data["uuid"])
    await cloud.run(one.host, "qemu-img", "check", "-q", "-f", "qcow2", left)
    await call("DeleteVolumeSnapshot", uuid=root, timeout_seconds=120)
    told = len(one.serial())
    await (await one.start()).booted(after=told)
    assert await words(one) == ["first", "second", "", ""]
    assert await cloud.session.query("VolumeSnapshot") == []

    await call("DeleteDataVolume", uuid=data["uuid"], timeout_seconds=90)
    await call("ExpungeDataVolume", uuid=data["uuid"], timeout_seconds=60)
    assert not [each for each in await cloud.files(one.host, STORAGE) if data["uuid"] in each]
    uuid = str(one.inventory["rootVolumeUuid"])
    await one.destroy()
    assert not [each for each in await cloud.files(one.host, STORAGE) if uuid in each]


AGENT = r"""
exec 3<>"$(ls /dev/vport*p1)"
while true; do
  read -r line <&3 || { sleep 0.1; continue; }  # nobody listens at the other end yet
  case "$line" in
    *guest-sync*) id=${line##*:}; echo "{\"return\": ${id%%\}*}}" >&3; continue ;;
    *freeze-freeze*) echo freeze >>/tmp/told; test -e /tmp/hang && kill -STOP $$ ;;
    *freeze-thaw*) echo thaw >>/tmp/told ;;
  esac
  echo '{"return": 1}' >&3
done
"""
"""A guest's agent as far as snapshots go; told to freeze it hangs while there is a file /tmp/hang."""


async def told(guest: Guest) -> list[str]:
    return (await guest.ssh("cat /tmp/told 2>/dev/null; : >/tmp/told")).split()


async def signal(guest: Guest, name: str) -> None:
    await guest.ssh(f"kill -{name} $(cat /tmp/agent.pid)")


@pytest.mark.timeout(300)
async def test_an_agent_that_hangs_holds_up_nobody_and_leaves_no_guest_frozen(
    cloud: Stage, vm: VmFactory
) -> None:
    call = cloud.session.call
    one = await (await vm("quiet", host=1)).booted()
    root = str(one.inventory["rootVolumeUuid"])

    async def why_not() -> str:
        """Why a snapshot that is taken is not quiesced; empty when it is."""
        taken = (await call("CreateVolumeSnapshot", volume_uuid=root, name="s", timeout_seconds=60))[
            "inventory"
        ]
        assert taken["status"] == "Ready"
        (event,) = await cloud.session.query("Event", resource_uuid=taken["uuid"])
        why = str(event["text"]).rpartition("since ")[2] if "since " in event["text"] else ""
        assert taken["quiesced"] == (not why)
        return why

    assert await why_not() == "no guest agent answers"
    await one.ssh(f"cat >/tmp/agent <<'E'\n{AGENT}\nE")
    await one.ssh("sh /tmp/agent >/tmp/agent.log 2>&1 </dev/null & echo $! >/tmp/agent.pid")

    async def heard() -> bool:
        return "state='connected'" in await cloud.virsh(one.host, "dumpxml", one.uuid)

    await until(heard, what="the agent of the guest")

    async def quiesced() -> bool:
        if why := await why_not():
            print("not quiesced:", why)
        return not why

    await until(quiesced, what="an agent that libvirt has met")  # a moment after its channel is open
    assert await told(one) == ["freeze", "thaw"]

    await signal(one, "STOP")
    assert "its guest agent does not answer" in await why_not()
    await signal(one, "CONT")
    assert await told(one) == []

    await one.ssh("touch /tmp/hang")
    assert "did not hold the writes back" in await why_not()
    assert await told(one) == ["freeze"]
    await one.ssh("rm /tmp/hang")
    await signal(one, "CONT")

    async def thawed() -> bool:
        return "thaw" in await told(one)

    await until(thawed, what="the thaw of a guest that froze late")
    assert await why_not() == ""

    await one.ssh("touch /tmp/hang")
    assert await why_not() != ""
    await one.destroy(seconds=30)
