"""What keys do to rows: calls, questions, forms, the errors of the appliance in its own words."""

from __future__ import annotations

import pytest

from tests.zstui.conftest import LARGE, SMALL, Cloud, screens
from zstui import frame
from zstui.nouns import NOUNS
from zstui.screens.chooser import Choices
from zstui.screens.help import help_items


async def state(cloud: Cloud, uuid: str) -> str:
    [vm] = await cloud.session.query("VmInstance", uuid=uuid)
    return str(vm["state"])


async def test_stop_wants_its_key_twice_start_once(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("S")
        await on.sees("Sure? Press S to stop web-1")
        assert await state(cloud, uuid) == "Running"
        await on.press("S")
        await on.sees("◌ Stopped", "zstui call StopVmInstance uuid=")
        await on.press("s")
        await on.sees("◉ Running", "zstui call StartVmInstance")
        await on.press("r", "r")
        await on.sees("zstui call RebootVmInstance", "✓")


async def test_several_at_once(cloud: Cloud) -> None:
    uuids = [await cloud.vm(name) for name in ("a", "b", "c")]
    async with screens(cloud.socket) as on:
        await on.sees("vms 3/3")
        await on.press("space", "space", "S")
        await on.sees("Press S to stop 2 VMs (a, b)")
        await on.press("S")
        await on.sees("vms 1/3")
        assert [await state(cloud, uuid) for uuid in uuids] == ["Stopped", "Stopped", "Running"]


async def test_what_a_state_makes_impossible_is_said_at_once_and_nothing_is_asked(cloud: Cloud) -> None:
    uuids = [await cloud.vm(name) for name in ("a", "b")]
    async with screens(cloud.socket) as on:
        await on.sees("vms 2/2")
        await on.press("s")
        await on.sees("a is Running, not Stopped: start is not possible")
        await on.press("S", "S")
        await on.sees("vms 1/2", "◌ Stopped")
        await on.press("r")
        await on.sees("a is Stopped, not Running: reboot is not possible")
        await on.press("S")
        await on.sees("a is Stopped, not Running or Unknown: stop is not possible")
        await on.press("u")
        await on.sees("a is Stopped, not Destroyed: recover is not possible")
        assert "Sure?" not in on.whole()
        await on.press("x")
        await on.sees("what shall be done?")
        await on.write("reboot")
        await on.press("enter")
        await on.sees("a is Stopped, not Running: reboot is not possible")
        assert [entry.line.split()[2] for entry in on.app.calls.log] == ["StopVmInstance"]
        # Of several that are marked, those are done that can be.
        await on.press("asterisk", "r")
        await on.sees("Press r to reboot b")
        await cloud.session.call("StopVmInstance", uuid=uuids[1])
        await on.sees("vms 0/2")
        await on.press("r")
        await on.sees("none of 2 VMs is Running: reboot is not possible")


async def test_what_the_appliance_refuses_it_says_itself(cloud: Cloud) -> None:
    await cloud.session.call("StopVmInstance", uuid=await cloud.vm("web-1"))
    for host in ("node-a", "node-b"):
        await cloud.session.call("ChangeHostState", uuid=cloud.uuids[host], stateEvent="disable")
    async with screens(cloud.socket) as on:
        await on.sees("◌ Stopped")
        await on.press("s")
        await on.sees(
            "start VM web-1: No host is Enabled", "volumes: enable or reconnect it", "[HOST_ALLOCATION.1000]"
        )


async def test_destroy_names_what_goes_and_can_be_taken_back(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("D")
        await on.sees("Destroy web-1?", "1 disk, 64 MiB", "10.9.0.", "can be recovered")
        await on.press("enter")  # Cancel has the focus
        await on.misses("Destroy web-1?")
        assert await state(cloud, uuid) == "Running"
        await on.press("D", "right", "enter")
        await on.sees("◌ Destroyed", "u recover")
        await on.press("u")
        await on.sees("◌ Stopped")


async def test_a_deleted_image_is_recovered_or_expunged(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.press("4")
        await on.sees("◉ Ready")
        await on.press("D")
        await on.sees("Delete tiny?", "can be recovered")
        await on.press("right", "enter")
        await on.sees("◌ Deleted", "u recover", "D expunge")
        await on.press("u")
        await on.sees("◉ Ready")
        await on.press("D", "right", "enter")
        await on.sees("◌ Deleted")
        await on.press("D")
        await on.sees("Expunge tiny?", "Type tiny to go on", "cannot be undone")
        await on.write("tiny")
        await on.press("enter")
        await on.sees("No images yet")


async def test_what_is_final_wants_the_name(cloud: Cloud) -> None:
    await cloud.session.call("UpdateGlobalConfig", category="vm", name="deletionPolicy", value="Direct")
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("D")
        await on.sees("Type web-1 to go on", "cannot be undone")
        await on.write("web-")
        await on.press("enter")
        await on.sees("Type web-1")
        await on.write("1")
        await on.press("enter")
        await on.sees("No VMs yet")


async def test_more_offers_all_that_the_api_can_do(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.press("2", "x")
        await on.sees("change host state", "delete host", "reconnect host")
        await on.write("change")
        await on.press("enter")
        await on.sees("Change host state", "◌ disable")
        await on.press("right", "ctrl+s")
        await on.sees("◌ Disabled")


async def test_a_name_is_changed_in_a_form(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        await on.press("E")
        await on.sees("Update VM", "web-1")
        await on.write("0")
        await on.press("ctrl+s")
        await on.sees("web-10")
        [vm] = await cloud.session.query("VmInstance", uuid=uuid)
        assert vm["name"] == "web-10"
        assert on.app.calls.log[-1].line.endswith(f"UpdateVmInstance uuid={uuid} name=web-10")


async def test_the_console_is_shown_and_copied(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        await on.press("C")
        await on.sees("vnc", "5900", "vncviewer 10.0.0.")
        await on.press("c")
        await on.until(lambda: on.app.clipboard.startswith("vncviewer 10.0.0."))
        await on.press("S", "S")
        await on.sees("◌ Stopped")
        await on.press("C")
        await on.sees("web-1 is Stopped, not Running: show console is not possible")


async def test_every_list_opens(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        for noun in NOUNS:
            await on.browser.go(noun)
            await on.pilot.pause()
            assert on.browser.table.noun.id == noun
            assert on.browser.table.size.height > 5


async def test_a_notice_and_the_last_call_leave_the_screen_by_themselves(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "SAID_SECONDS", 0.3)
    monkeypatch.setattr(frame, "CALL_SECONDS", 0.3)
    await cloud.vm("a")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        on.browser.action_verb("w")
        await on.sees("w does nothing on this row")
        await on.misses("does nothing on this row")
        await on.press("S", "S")
        await on.sees("› zstui call StopVmInstance")
        await on.sees("◌ Stopped")
        await on.misses("› zstui call StopVmInstance")
        assert on.app.calls.log[-1].error is None
        for key in ("0", "enter"):  # their frames have nothing to say of a call that is this old
            await on.press(key)
            await on.misses("› zstui call StopVmInstance")
            await on.press("escape")
            await on.sees("◌ Stopped", "◉ live")


async def test_the_help_of_a_list_names_no_key_of_vms_where_none_is(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.until(lambda: on.app.mirror.status == "live")
        for noun, there in (("vm", True), ("bin", False), ("img", False)):
            await on.browser.go(noun)
            said = " ".join(item.text for item in help_items(on.browser))
            assert ("the console's address" in said, "Open user data" in said) == (there, there)


async def test_what_the_state_does_not_allow_stands_last_with_the_reason(cloud: Cloud) -> None:
    await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("◉ Running")
        await on.press("x")
        await on.sees("web-1: what shall be done?", "migrate VM", "attach ISO to VM")
        titles = [(each.title, each.note) for each in on.app.screen.query_one(Choices).choices]
        allowed = [title for title, said in titles if not said.startswith("✗")]
        assert [title for title, _ in titles][: len(allowed)] == allowed
        assert {"stop VM", "migrate VM"} <= set(allowed)
        assert ("start VM", "✗ not while it is Running") in titles
        assert ("expunge VM", "✗ not while it is Running") in titles


async def test_n_makes_one_where_one_can_be_made_and_says_where_not(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        for made in ("user", "user group", "policy", "access token", "volume backup"):
            await on.browser.go(made.replace(" ", ""))
            await on.press("n")
            await on.sees(f"Create {made}")
            await on.press("escape")
        await on.browser.go("session")
        await on.press("n")
        await on.sees("none is made by hand")


async def test_a_new_token_is_found_by_name_and_shown_once(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    monkeypatch.setattr("zstui.app.Zstui.copy_to_clipboard", lambda _, text: copied.append(text))
    async with screens(cloud.socket) as on:
        await on.browser.go("accesstoken")
        await on.press("ctrl+p")
        await on.press(*"create access token", "enter")
        await on.sees("Create access token")
        await on.press(*"ci", "ctrl+s")
        await on.sees("Token ci", "zst_", "shown this once")
        await on.press("c")
        assert copied
        assert copied[0].startswith("zst_")
        await on.press("escape")
        await on.misses("zst_")


async def test_go_to_uses_the_height_there_is(cloud: Cloud) -> None:
    async with screens(cloud.socket, (160, 48)) as on:
        await on.sees("zstui")
        await on.press("colon")
        await on.sees("Go to", ":vm", ":iso")


@pytest.mark.parametrize("size", [SMALL, (40, 10), LARGE])
async def test_no_console_is_offered_of_a_vm_that_is_off_and_its_keys_say_why(
    cloud: Cloud, size: tuple[int, int]
) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket, size, connected=False) as on:
        await on.until(lambda: any(key == "c" for key, _, _ in on.browser.hints()))
        await cloud.session.call("StopVmInstance", uuid=uuid)
        await on.sees("◌")
        await on.until(lambda: not {"c", "V", "C"} & {key for key, _, _ in on.browser.hints()})
        for key, said in (("c", "serial: not while web-1 is Stopped"), ("V", "screen: not while web-1 is Stopped"),
                          ("C", "web-1 is Stopped, not Running")):  # fmt: skip
            await on.press(key)
            await on.sees(said)
            assert on.app.screen is on.browser
