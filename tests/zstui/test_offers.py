"""What is offered can be right: what cannot stands last with the reason, and a move that cannot be says why once."""

from __future__ import annotations

import pytest

from tests.zstui.conftest import LARGE, SMALL, Cloud, screens
from tests.zstui.test_small import TINY
from zstui.mirror import Mirror, Row
from zstui.picks import resource_choices
from zstui.screens.chooser import Choices
from zstui.screens.planner import Planner


def image(number: int, name: str, media: str, status: str = "Ready", state: str = "Enabled") -> Row:
    """An image of a kind."""
    uuid = f"{number:032x}"
    return Row(
        "Image", uuid, {"uuid": uuid, "name": name, "mediaType": media, "status": status, "state": state}
    )


def test_images_that_no_vm_is_made_from_stand_last_with_the_reason() -> None:
    mirror = Mirror(("Image",))
    for row in (image(1, "a-data", "DataVolumeTemplate"), image(2, "b-root", "RootVolumeTemplate"),
                image(3, "c-gone", "RootVolumeTemplate", "Deleted"), image(4, "d-iso", "ISO"),
                image(5, "e-off", "RootVolumeTemplate", state="Disabled"),
                image(6, "f-root", "RootVolumeTemplate")):  # fmt: skip
        mirror.rows["Image"][row.key] = row
    found = {each.title: each.note for each in resource_choices(mirror, "Image", "CreateVmInstance")}
    assert list(found) == ["b-root", "f-root", "a-data", "c-gone", "d-iso", "e-off"]
    assert found["a-data"] == "✗ it is a data volume template"
    assert found["c-gone"] == "✗ it is in the recycle bin"
    assert found["e-off"] == "✗ not while it is Disabled"
    assert "rootDiskOfferingUuid" in found["d-iso"]
    made = "CreateDataVolumeFromVolumeTemplate"
    assert [each.title for each in resource_choices(mirror, "Image", made) if "✗" not in each.note] == [
        "a-data"
    ]
    isos = [
        each.title
        for each in resource_choices(mirror, "Image", "AttachIsoToVmInstance")
        if "✗" not in each.note
    ]
    assert isos == ["d-iso"]
    back = [each.title for each in resource_choices(mirror, "Image", "RecoverImage") if "✗" not in each.note]
    assert back == ["c-gone"]


async def test_the_form_of_a_vm_takes_the_only_image_that_would_do(cloud: Cloud) -> None:
    await cloud.make("AddImage", name="a-data", url="http://images.example/d.qcow2", format="qcow2",
                     mediaType="DataVolumeTemplate", backupStorageUuids=[cloud.uuids["images"]])  # fmt: skip
    async with screens(cloud.socket, LARGE) as on:
        await on.press("n")
        await on.sees("Create VM", "tiny")
        assert "a-data" not in on.whole()


@pytest.mark.parametrize("size", [TINY, SMALL])
async def test_a_move_that_no_host_could_take_says_why_and_offers_no_hosts(
    cloud: Cloud, size: tuple[int, int]
) -> None:
    uuids = cloud.uuids
    await cloud.make("CreateCluster", name="sim", zoneUuid=uuids["zone1"], hypervisorType="Simulator")
    await cloud.make("AddSimulatorPrimaryStorage", name="pretended", zoneUuid=uuids["zone1"], url="/ps",
                     totalCapacity=1 << 40, availableCapacity=1 << 40)  # fmt: skip
    await cloud.make("AttachPrimaryStorageToCluster", clusterUuid=uuids["sim"],
                     primaryStorageUuid=uuids["pretended"])  # fmt: skip
    await cloud.make("AddSimulatorHost", name="s-1", managementIp="10.0.3.1", clusterUuid=uuids["sim"],
                     memoryCapacity=1 << 36, cpuCapacity=32_000)  # fmt: skip
    await cloud.make("AddSimulatorBackupStorage", name="bs", url="/bs")
    await cloud.make("AttachBackupStorageToZone", zoneUuid=uuids["zone1"], backupStorageUuid=uuids["bs"])
    await cloud.make("AttachL2NetworkToCluster", l2NetworkUuid=uuids["wire"], clusterUuid=uuids["sim"])
    await cloud.make("AddImage", name="pretended-image", url="http://x/y.qcow2", format="simulator",
                     backupStorageUuids=[uuids["bs"]])  # fmt: skip
    uuids["tiny"] = uuids["pretended-image"]
    vm = await cloud.vm("web-1")
    await cloud.session.call("StopVmInstance", uuid=vm)
    async with screens(cloud.socket, size) as on:
        await on.sees("◌ Stopped")
        await on.press("m")
        await on.until(lambda: isinstance(on.app.screen, Planner))
        await on.until(lambda: "not on any local primary storage" in " ".join(on.whole().split()))
        assert "nothing to choose from" not in on.whole()
        assert "snapshots are moved" not in on.whole()
        assert not on.app.screen.query_one(Choices).display
        await on.sees("Esc back")
        await on.press("escape")
        await on.until(lambda: on.app.screen is on.browser)


@pytest.mark.parametrize("size", [TINY, SMALL])
async def test_a_filter_by_a_column_that_is_not_there_says_which_are(
    cloud: Cloud, size: tuple[int, int]
) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, size) as on:
        await on.sees("◉ Running")
        await on.press("slash")
        await on.write("foo:bar")
        await on.press("enter")
        await on.sees("No row holds that.")
        said = " ".join(on.whole().split())
        assert "There is no column foo; there are: name, state" in said
        await on.press("escape", "slash")
        await on.write("state:stopped fa:16:3e")
        await on.press("enter")
        await on.sees("No row holds that.")
        assert "There is no column" not in on.whole()


async def test_the_offer_to_take_back_speaks_of_as_many_and_of_the_time_that_the_question_said(
    cloud: Cloud,
) -> None:
    for name in ("a", "b"):
        await cloud.vm(name)
    async with screens(cloud.socket) as on:
        await on.sees("vms 2/2")
        await on.press("asterisk", "D")
        await on.sees("They can be recovered (u) for 1d")
        await on.press("y")
        await on.sees("2 VMs deleted; u takes them back for 1d")
