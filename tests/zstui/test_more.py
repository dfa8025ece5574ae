"""What `x` offers says who is acted on and why some of it cannot be, and asks as the key of the same call does."""

from __future__ import annotations

from typing import Any

from appliance.api.errors import NotReady
from tests.zstui.conftest import LARGE, Cloud, Screens, screens
from zstui.mirror import Row
from zstui.rows import named, why_not
from zstui.screens.confirm import Confirm
from zstui.verbs import VERBS, delete_message


def calls_made(on: Screens) -> list[str]:
    """The messages that were sent from the screen."""
    return [entry.line.split()[2] for entry in on.app.calls.log]


async def choose(on: Screens, call: str) -> None:
    """Choose a call by `x`."""
    await on.press("x")
    await on.sees("what shall be done?")
    await on.write(call)
    await on.press("enter")


async def test_what_a_key_asks_twice_for_is_asked_here_too(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        asked = "Sure? Press S to stop web-1"
        await on.press("S")
        await on.sees(asked)
        await on.misses(asked)
        await choose(on, "stop")
        await on.sees(asked)
        await on.misses(asked)
        await on.press("ctrl+p")
        await on.sees("Everything")
        await on.write("stop")
        await on.press("down", "enter")  # below the setting that is called so
        await on.sees(asked)
        assert not calls_made(on)
        await on.press("S")
        await on.sees("◌ Stopped")
        await choose(on, "start")
        await on.sees("◉ Running")


async def test_it_says_for_how_many_rows_it_asks_also_when_a_filter_hides_them(cloud: Cloud) -> None:
    for name in ("cache-1", "cache-2", "web-1"):
        await cloud.vm(name)
    async with screens(cloud.socket) as on:
        await on.sees("vms 3/3")
        await on.press("g", "space", "space", "slash")
        await on.write("web")
        await on.press("enter")
        await on.sees("2 marked, 2 not shown")
        await on.press("x")
        await on.sees("2 VMs (cache-1, cache-2): what shall be done?")
        await on.write("attach data")
        await on.sees("for one row at a time")
        await on.press("enter")
        await on.sees("attach data volume to VM: for one row at a time")
        await choose(on, "stop")
        await on.sees("Sure? Press S to stop 2 VMs (cache-1, cache-2)")
        assert not calls_made(on)
        await on.press("S")
        await on.sees("vms 1/3")


async def test_a_call_without_a_key_asks_before_it_takes_something_away(cloud: Cloud) -> None:
    vm = await cloud.vm("web-1")
    await cloud.make("CreateDiskOffering", name="disk", diskSize=1 << 26)
    volume = await cloud.make("CreateDataVolume", name="data-1", diskOfferingUuid=cloud.uuids["disk"])
    await cloud.session.call("AttachDataVolumeToVm", vmInstanceUuid=vm, volumeUuid=volume["uuid"])
    async with screens(cloud.socket, LARGE) as on:
        await on.press("3")
        await on.browser.go("vol", volume["uuid"])
        await on.sees("data-1")
        await choose(on, "detach data volume")
        await on.sees("Detach data volume from VM: data-1?")
        assert not calls_made(on)
        await on.press("y")
        await on.until(lambda: calls_made(on) == ["DetachDataVolumeFromVm"])
        # One whose form asks for more says of what it takes it, and asks when it is sent.
        await on.browser.go("store", cloud.uuids["local"])
        await choose(on, "detach primary storage from cluster")
        await on.sees("Detach primary storage from cluster  ·  local")
        await on.press("ctrl+s")
        await on.sees("Detach primary storage from cluster: local?")
        assert calls_made(on) == ["DetachDataVolumeFromVm"]
        await on.press("escape")
        await on.misses("local?")
        assert calls_made(on) == ["DetachDataVolumeFromVm"]


async def test_what_is_attached_is_taken_away_after_the_same_question_whichever_way(cloud: Cloud) -> None:
    vm = await cloud.vm("web-1")
    await cloud.make("CreateDiskOffering", name="disk", diskSize=1 << 26)
    volume = await cloud.make("CreateDataVolume", name="data-1", diskOfferingUuid=cloud.uuids["disk"])
    await cloud.session.call("AttachDataVolumeToVm", vmInstanceUuid=vm, volumeUuid=volume["uuid"])
    async with screens(cloud.socket, LARGE) as on:
        await on.browser.go("vol", volume["uuid"])
        await on.sees("data-1")
        asked = []
        for way in ("a", "x"):
            await (on.press("a") if way == "a" else choose(on, "detach data volume"))
            await on.sees("Detach data volume from VM: data-1?", "unmount")
            asked.append(type(on.app.screen))
            await on.press("escape")
            await on.misses("from VM: data-1?")
        assert asked == [Confirm, Confirm]
        assert not calls_made(on)
        # The form of the palette, where all is chosen by hand, asks once it is filled.
        await on.press("ctrl+p")
        await on.sees("Everything")
        await on.write("detach primary storage from")
        await on.press("enter")
        await on.sees("Detach primary storage from cluster")
        await on.press("ctrl+s")
        await on.sees("Detach primary storage from cluster", "?", "local", "Cancel")
        assert isinstance(on.app.screen, Confirm)
        assert not calls_made(on)


async def test_a_question_about_many_names_the_first_of_them(cloud: Cloud) -> None:
    rows = [Row("VmInstance", str(at), {"name": f"web-{at}"}) for at in range(5)]
    assert named(rows[:1]) == "web-0"
    assert named(rows[:3]) == "3 VMs (web-0, web-1, web-2)"
    assert named(rows) == "5 VMs (web-0, web-1, web-2 and 2 more)"
    for name in ("one", "two"):
        await cloud.make("CreateZone", name=name)
    async with screens(cloud.socket, LARGE) as on:
        await on.browser.go("zone")
        await on.sees("one", "two", "zone1")
        await on.press("asterisk", "D")
        await on.until(lambda: isinstance(on.app.screen, Confirm))
        said = on.app.screen.query_one(".loss").render()
        assert all(name in str(said) for name in ("one", "two", "zone1"))


async def test_what_fails_among_several_is_named(cloud: Cloud) -> None:
    uuids = [await cloud.vm(name) for name in ("web-1", "web-2", "web-3")]
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("vms 3/3")
        refused = {uuids[1], uuids[2]}
        call = on.app.calls.session.call

        async def some_fail(message: str, **fields: Any) -> Any:
            if message == "RebootVmInstance" and fields["uuid"] in refused:
                raise NotReady("the host is away")
            return await call(message, **fields)

        on.app.calls.session.call = some_fail  # type: ignore[method-assign]
        await on.press("asterisk", "r", "r")
        await on.sees("reboot VM web-2, web-3: The host is away")
        refused.discard(uuids[2])
        await on.hush()
        await on.press("r", "r")
        await on.sees("reboot VM web-2: The host is away")


async def test_what_is_for_another_type_of_row_is_not_offered_without_the_reason(cloud: Cloud) -> None:
    root = Row("Volume", "u", {"type": "Root", "status": "Ready", "vmInstanceUuid": "v"})
    data = Row("Volume", "u", {"type": "Data", "status": "Ready", "vmInstanceUuid": None})
    for call in ("AttachDataVolumeToVm", "DetachDataVolumeFromVm", "DeleteDataVolume", "ExpungeDataVolume",
                 "RecoverDataVolume", "ResizeDataVolume", "BackupDataVolume"):  # fmt: skip
        assert why_not(call, root) == "only for data volumes", call
    for call in ("ResizeRootVolume", "CreateRootVolumeTemplateFromRootVolume"):
        assert why_not(call, root) == ""
        assert why_not(call, data) == "only for root volumes", call
    assert why_not("CreateDataVolumeTemplateFromVolume", root) == ""
    assert why_not("AttachDataVolumeToVm", data) == ""
    assert why_not("DetachDataVolumeFromVm", data) == "it is not attached"
    born = Row("SystemTag", "u", {"inherent": True})
    assert why_not("DeleteTag", born) == why_not("UpdateSystemTag", born)
    assert why_not("DeleteTag", born) == "the appliance keeps this tag by itself"
    simulated = Row("Host", "u", {"hypervisorType": "Simulator"})
    assert why_not("UpdateKVMHost", simulated) == "only for KVM"
    assert why_not("UpdateKVMHost", Row("Host", "u", {"hypervisorType": "KVM"})) == ""


async def test_a_wrong_name_is_said_to_be_wrong(cloud: Cloud) -> None:
    await cloud.session.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Direct")
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("D")
        await on.sees("Type web-1 to go on")
        await on.press("enter")
        await on.sees("Nothing is typed yet.")
        await on.write("web-2")
        await on.misses("Nothing is typed yet.")
        await on.press("enter")
        await on.sees("web-2 is not web-1.")
        await on.press("backspace")
        await on.misses("is not web-1")
        await on.write("1")
        await on.press("enter")
        await on.until(lambda: "DestroyVmInstance" in calls_made(on))


def test_only_what_is_in_the_recycle_bin_is_recovered_and_expunged() -> None:
    ready = Row("Image", "i", {"status": "Ready", "backupStorageRefs": [{"status": "Ready"}]})
    in_part = Row(
        "Image", "i", {"status": "Ready", "backupStorageRefs": [{"status": "Ready"}, {"status": "Deleted"}]}
    )
    deleted = Row("Image", "i", {"status": "Deleted", "backupStorageRefs": [{"status": "Deleted"}]})
    for call in ("RecoverImage", "ExpungeImage"):
        assert why_not(call, ready) == "it is not in the recycle bin"
        assert why_not(call, deleted) == why_not("ExpungeImage", in_part) == ""
    assert why_not("DeleteImage", deleted) == "it is in the recycle bin"
    assert why_not("DeleteImage", ready) == why_not("UpdateImage", deleted) == ""
    data = Row("Volume", "v", {"type": "Data", "status": "Ready"})
    binned = Row("Volume", "v", {"type": "Data", "status": "Deleted"})
    for call in ("RecoverDataVolume", "ExpungeDataVolume"):
        assert (why_not(call, data), why_not(call, binned)) == ("it is not in the recycle bin", "")
    for call in ("ResizeDataVolume", "AttachDataVolumeToVm", "CreateVolumeSnapshot"):
        assert why_not(call, binned) == "it is in the recycle bin", call
    for state, good in (("Running", False), ("Destroyed", True)):
        vm = Row("VmInstance", "u", {"state": state})
        assert [why_not(call, vm) == "" for call in ("RecoverVmInstance", "ExpungeVmInstance")] == [
            good,
            good,
        ]


def test_the_root_volume_of_a_deleted_vm_comes_back_with_that_and_goes_with_it() -> None:
    root = Row("Volume", "v", {"type": "Root", "status": "Deleted"})
    assert delete_message(root) is None
    assert not any(verb.fits(root) for verb in VERBS)


async def test_what_cannot_be_stands_last_with_the_reason(cloud: Cloud) -> None:
    async with screens(cloud.socket, LARGE) as on:
        await on.press("4")
        await on.sees("tiny")
        await on.press("x")
        await on.sees("what shall be done?")
        [line] = [line for line in on.text() if "expunge image" in line]
        assert "✗ it is not in the recycle bin" in line
        await on.write("expunge")
        await on.press("enter")
        await on.sees("expunge image: it is not in the recycle bin")
        assert not calls_made(on)
