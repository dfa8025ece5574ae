"""Images in the recycle bin: deleted by policy, recovered, expunged, on each backup storage by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agent.protocol import Capacity
from appliance.api.account import ADMIN_UUID
from appliance.api.errors import ApiError
from appliance.plans.naming import stored_image
from appliance.reconcile.janitor import expunge_due
from appliance.reconcile.meter import WRITE_SECONDS
from appliance.store.transaction import Transaction
from tests.simulated_cloud import GIB, Body, Cloud

PATH = "/zstack_bs/rootVolumeTemplates/"


def files(cloud: Cloud) -> set[str]:
    """The images that any simulated machine stores."""
    return {path for host in cloud.hosts for path in host.things.files if "/rootVolumeTemplates/" in path}


def statuses(image: Body) -> tuple[str, ...]:
    """An image's status, and those of its copies."""
    return (image["status"], *sorted(ref["status"] for ref in image["backupStorageRefs"]))


async def policy(cloud: Cloud, value: str) -> None:
    await cloud.call("UpdateGlobalConfig", category="image", name="deletionPolicy", value=value)


@pytest.mark.parametrize("kept", ["Delay", "Never"])
async def test_a_deleted_image_keeps_its_bytes_and_comes_back(cloud: Cloud, kept: str) -> None:
    await policy(cloud, kept)
    uuid, before = cloud.uuids["image"], files(cloud)
    assert before
    await cloud.call("DeleteImage", uuid=uuid)
    assert statuses(await cloud.one("QueryImage", uuid)) == ("Deleted", "Deleted")
    async with cloud.untouched():
        assert (await cloud.refused("CreateVmInstance", **cloud.vm_fields()))["code"] == "SYS.1006"
        await cloud.call("DeleteImage", uuid=uuid)
    assert files(cloud) == before
    assert statuses(await cloud.call("RecoverImage", imageUuid=uuid)) == ("Ready", "Ready")
    assert (await cloud.vm(name="web"))["state"] == "Running"


async def test_direct_leaves_nothing(cloud: Cloud) -> None:
    await policy(cloud, "Direct")
    await cloud.call("DeleteImage", uuid=cloud.uuids["image"])
    assert await cloud.query("QueryImage") == []
    assert files(cloud) == set()


async def test_a_deleted_image_is_expunged_by_hand_under_any_policy(cloud: Cloud) -> None:
    await policy(cloud, "Never")
    uuid = cloud.uuids["image"]
    await cloud.call("DeleteImage", uuid=uuid)
    await cloud.call("ExpungeImage", imageUuid=uuid)
    assert await cloud.query("QueryImage") == []
    assert files(cloud) == set()


async def test_what_is_not_deleted_is_not_recovered_nor_expunged(cloud: Cloud) -> None:
    uuid, storage = cloud.uuids["image"], cloud.uuids["backup"]
    other = (await second_storage(cloud))["uuid"]
    named = f"the image[uuid:{uuid}, name:image]"
    for name in ("RecoverImage", "ExpungeImage"):
        async with cloud.untouched():
            error = await cloud.refused(name, imageUuid=uuid)
            assert (error["code"], error["details"]) == (
                "SYS.1006", f"{named} is not deleted on any backup storage",
            )  # fmt: skip
            error = await cloud.refused(name, imageUuid=uuid, backupStorageUuids=[storage])
            assert (error["code"], error["details"]) == (
                "SYS.1007",
                f"{named}'s status[Ready] is not Deleted on the backup storage[uuid:{storage}]",
            )
            error = await cloud.refused(name, imageUuid=uuid, backupStorageUuids=[other])
            assert (error["code"], error["details"]) == (
                "SYS.1007", f"{named} is not on the backup storage[uuid:{other}]",
            )  # fmt: skip


async def test_an_image_on_two_storages_is_deleted_from_one(cloud: Cloud) -> None:
    first, second = cloud.uuids["backup"], (await second_storage(cloud))["uuid"]
    image = await cloud.call(
        "AddImage", name="both", url="http://x/y", format="qcow2", backupStorageUuids=[first, second]
    )
    uuid, before = image["uuid"], len(files(cloud))
    await cloud.call("DeleteImage", uuid=uuid, backupStorageUuids=[first])
    assert statuses(await cloud.one("QueryImage", uuid)) == ("Ready", "Deleted", "Ready")
    await cloud.call("ExpungeImage", imageUuid=uuid)
    assert statuses(await cloud.one("QueryImage", uuid)) == ("Ready", "Ready")
    assert len(files(cloud)) == before - 1
    await cloud.call("DeleteImage", uuid=uuid)
    assert statuses(await cloud.one("QueryImage", uuid)) == ("Deleted", "Deleted")
    assert statuses(await cloud.call("RecoverImage", imageUuid=uuid, backupStorageUuids=[second])) == (
        "Ready", "Ready",
    )  # fmt: skip


async def second_storage(cloud: Cloud) -> Body:
    storage = await cloud.call(
        "AddSftpBackupStorage", name="more", hostname="10.0.0.8", username="root", password="x", url="/bs2"
    )
    await cloud.call(
        "AttachBackupStorageToZone", backupStorageUuid=storage["uuid"], zoneUuid=cloud.uuids["zone"]
    )
    return storage


async def test_the_bin_is_emptied_at_once_when_the_period_gets_shorter(cloud: Cloud) -> None:
    await cloud.call("DeleteImage", uuid=cloud.uuids["image"])
    assert files(cloud) != set()
    await cloud.call("UpdateGlobalConfig", category="image", name="expungePeriod", value="0")
    await cloud.until(lambda: cloud.query("QueryImage"), empty)
    assert files(cloud) == set()


@pytest.mark.parametrize(("kept", "due"), [("Delay", 1), ("Never", 0)])
async def test_never_is_never_not_even_in_ten_years(cloud: Cloud, kept: str, due: int) -> None:
    await policy(cloud, kept)
    await cloud.call("DeleteImage", uuid=cloud.uuids["image"])

    def in_ten_years(tx: Transaction) -> list[str]:
        tx.now += 10 * 366 * 86400
        return expunge_due(tx, "image")

    assert len(await cloud.database.write(in_ten_years)) == due


def empty(found: list[Body]) -> bool:
    return found == []


async def test_no_storages_at_all_are_no_storages_to_delete_from(cloud: Cloud) -> None:
    image = cloud.uuids["image"]
    async with cloud.untouched():
        error = await cloud.refused("DeleteImage", uuid=image, backupStorageUuids=[])
        assert (error["code"], error["details"]) == (
            "SYS.1007", "field[backupStorageUuids] must be a nonempty list",
        )  # fmt: skip


async def test_a_vmdk_becomes_a_qcow2_image(cloud: Cloud) -> None:
    image = await cloud.call(
        "AddImage",
        name="foreign",
        url="http://x/y.vmdk",
        format="vmdk",
        backupStorageUuids=[cloud.uuids["backup"]],
    )
    assert (image["format"], image["status"]) == ("qcow2", "Ready")
    assert image["backupStorageRefs"][0]["installPath"].endswith(f"{image['uuid']}.qcow2")
    assert (await cloud.vm(imageUuid=image["uuid"]))["state"] == "Running"


async def test_who_fetches_an_image_is_said_where_it_cannot_be_fetched(cloud: Cloud) -> None:
    """Its user's own browser may well reach it."""
    cloud.hosts[0].things.unsound["http://10.9.9.9/i"] = (
        "url.failed",
        "no connection to 10.9.9.9:80: No route to host",
    )
    answer = await cloud.answer(
        "AddImage",
        name="far",
        url="http://10.9.9.9/i",
        format="qcow2",
        backupStorageUuids=[cloud.uuids["backup"]],
    )
    assert "backup storage backup (10.0.0.1) fetches it: " in answer["error"]["details"]
    assert "no connection to 10.9.9.9:80" in answer["error"]["details"]


@pytest.mark.parametrize("ending", ["", ".part", ".fetched"])
async def test_what_is_wrong_with_an_image_is_said_by_its_name_and_not_by_a_path_of_ours(
    cloud: Cloud, ending: str
) -> None:
    url, uuid = "http://10.9.9.9/i", "7c1b6a0ce2f44d7f8a1d0e6f5b3c2a19"
    path = f"{stored_image('/zstack_bs', ADMIN_UUID, uuid, 'qcow2')}{ending}"
    cloud.hosts[0].things.unsound[url] = ("image.not_an_image", f"{path} is declared qcow2 and is not")
    error = await cloud.refused(
        "AddImage", name="far", url=url, format="qcow2", resourceUuid=uuid,
        backupStorageUuids=[cloud.uuids["backup"]],
    )  # fmt: skip
    assert error["details"] == (
        f"url[{url}]: backup storage backup (10.0.0.1) fetches it: image far is declared qcow2 and is not "
        "[image.not_an_image]"
    )


async def test_an_upload_that_stopped_says_how_it_goes_on(cloud: Cloud) -> None:
    _, job = await cloud.begin(
        "AddImage", name="sent", url="upload://i", format="qcow2", backupStorageUuids=[cloud.uuids["backup"]]
    )
    assert job is not None
    (image,) = await cloud.query("QueryImage", name="sent")
    uuid, total = image["uuid"], 3 << 20

    async def content(count: int, pause: float) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(1 << 20)
        await asyncio.sleep(pause)

    with pytest.raises(ApiError, match=r"file\.short"):
        await cloud.core.transfers.take(uuid, content(2, WRITE_SECONDS + 0.3), total, 0)
    wanted = f"the rest of its file is awaited (2 of 3 MiB came); go on: zstui upload {uuid} FILE"
    await cloud.until(
        lambda: cloud.query("QueryLongJob", uuid=job), lambda found: found[0]["waitsFor"] == wanted
    )
    await cloud.core.transfers.take(uuid, content(1, 0), 1 << 20, 2 << 20)
    assert (await cloud.ended(job))["inventory"]["status"] == "Ready"


async def test_free_bytes_of_a_backup_storage_are_counted_after_each_write_and_deletion(cloud: Cloud) -> None:
    storage = cloud.uuids["backup"]
    await policy(cloud, "Direct")

    async def frees(name: str, free: int, /, **fields: Any) -> Body:
        """What a call answers, with so many bytes free after it and no ping in between."""
        await cloud.idle()
        for host in cloud.hosts:
            host.things.capacities[storage] = Capacity(total_bytes=GIB, available_bytes=free)
        reply = await cloud.answer(name, **fields)
        await cloud.until(
            lambda: cloud.one("QueryBackupStorage", storage), lambda row: row["availableCapacity"] == free
        )
        return reply

    vm = await cloud.vm()
    fields = {"url": "http://images.example/a.qcow2", "format": "qcow2", "backupStorageUuids": [storage]}
    image = (await frees("AddImage", 5000, name="a", **fields))["inventory"]
    await frees("DeleteImage", 6000, uuid=image["uuid"])
    await cloud.call("StopVmInstance", uuid=vm["uuid"])
    made = "CreateRootVolumeTemplateFromRootVolume"
    await frees(made, 4000, name="b", rootVolumeUuid=vm["rootVolumeUuid"])


@pytest.mark.parametrize("what", ["Host", "BackupStorage"])
async def test_an_image_goes_on_once_its_machine_is_back(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """It does not wait for its next try, which is up to half a minute away."""
    monkeypatch.setattr("appliance.reconcile.loop.FIRST_RETRY_SECONDS", 3600.0)
    (storage,) = await cloud.query("QueryBackupStorage", uuid=cloud.uuids["backup"])
    (host,) = await cloud.query("QueryHost", managementIp=storage["hostname"])
    (machine,) = (each for each in cloud.hosts if each.address == storage["hostname"])
    machine.delays.by_verb["FetchImage"] = 0.3
    _, job = await cloud.begin(
        "AddImage", name="far", url="http://images.example/a.qcow2", format="qcow2",
        backupStorageUuids=[storage["uuid"]],
    )  # fmt: skip
    machine.reachable = False
    machine.cut("unplugged")
    await cloud.until(lambda: cloud.query("QueryLongJob", uuid=job), lambda found: "waitsFor" in found[0])
    machine.reachable = True
    cloud.core.loop.poke(what, (host if what == "Host" else storage)["uuid"])
    assert (await cloud.ended(str(job)))["success"]
