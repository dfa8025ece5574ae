"""Forms made from declarations: pickers, live checks, the appliance's errors at their fields."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual import events

from appliance.api.errors import AddHostFailed
from tests.zstui.conftest import LARGE, Cloud, Screens, screens
from zstui.fields import Pick
from zstui.inputs import Entry
from zstui.screens.chooser import Chooser
from zstui.screens.form import Form


async def test_a_vm_is_made_with_pickers(cloud: Cloud) -> None:
    await cloud.make("CreateInstanceOffering", name="large", cpuNum=4, cpuSpeed=1000, memorySize=4 << 30)
    async with screens(cloud.socket) as on:
        await on.sees("No VMs yet")
        await on.press("n")
        await on.sees("Create VM", "Display name")
        await on.write("web-1")
        await on.press("tab", "enter")
        await on.sees("small", "large", "type to narrow")
        await on.write("lar")
        await on.press("enter")
        await on.sees("4 CPU, 4 GiB memory", "root disk 64 MiB from tiny")
        form = on.app.screen
        assert isinstance(form, Form)
        form.fields["userdata"].fill("#cloud-config\nhostname: web-1\n")
        form.fields["hostUuid"].fill(cloud.uuids["node-b"])
        await on.press("ctrl+s")
        await on.sees("web-1", "◉ Running", "node-b")
        [vm] = await cloud.session.query("VmInstance")
        assert (vm["cpuNum"], vm["hostUuid"]) == (4, cloud.uuids["node-b"])
        tags = [tag["tag"] for tag in await cloud.session.query("SystemTag", resource_uuid=vm["uuid"])]
        assert tags == ["userdata::#cloud-config\nhostname: web-1\n"]


def type_at_once(on: Screens, *keys: str) -> None:
    """Keys as a terminal hands over what was typed while nobody looked: none waits for what the last one does."""
    for key in keys:
        on.app.post_message(events.Key(key, key if len(key) == 1 else None))


async def test_what_is_typed_ahead_of_a_form_stands_in_its_first_field(cloud: Cloud) -> None:
    await cloud.vm("db-1")
    await cloud.make("CreateInstanceOffering", name="large", cpuNum=4, cpuSpeed=1000, memorySize=4 << 30)
    async with screens(cloud.socket) as on:
        await on.sees("db-1")
        type_at_once(on, "n", *"seed", "tab", *"lar", "enter")
        await on.until(lambda: isinstance(on.app.screen, Form), "the form")
        form = on.app.screen
        assert isinstance(form, Form)
        await on.until(lambda: form.fields["instanceOfferingUuid"].value, "the offering chosen")
        assert form.values()["name"] == "seed"
        assert form.values()["instanceOfferingUuid"] == cloud.uuids["large"]
        assert on.browser.row is not None
        assert [entry.line for entry in on.app.calls.log] == []
        await on.press("escape")
        await on.sees("Throw away what you typed?")
        type_at_once(on, "y", "slash", *"web")
        await on.sees("/web")
        assert on.app.screen is on.browser


async def test_a_form_that_nobody_typed_into_is_left_unasked(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.sees("No VMs yet")
        type_at_once(on, "n", "x", "backspace", "escape", "n")
        await on.until(lambda: isinstance(on.app.screen, Form), "the form again")
        assert len([screen for screen in on.app.screen_stack if isinstance(screen, Form)]) == 1


async def test_the_cursor_goes_to_what_takes_long_to_make(cloud: Cloud) -> None:
    """The next key acts on the new VM, not on the one that the cursor happened to be on."""
    await cloud.vm("db-1")
    for host in cloud.dialer.hosts.values():
        host.delays.usual = 0.5
    async with screens(cloud.socket) as on:
        await on.sees("db-1")
        await on.press("n")
        await on.sees("Create VM", "Display name")
        await on.write("web-1")
        await on.press("ctrl+s")
        await on.until(lambda: on.app.screen is on.browser, "the list again")
        assert on.browser.row is not None
        assert on.browser.row.name == "web-1"
        assert "✓ create VM" not in on.whole()
        assert not any("resourceUuid" in entry.line for entry in on.app.calls.log)
        await on.sees("web-1: Starting → Running")


async def test_what_is_missing_is_said_in_a_sentence(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.press("n")
        await on.sees("Create VM")
        await on.press("ctrl+s")
        await on.sees("This is needed.")
        assert "field[" not in on.whole()
        assert isinstance(on.app.screen, Form)
        on.app.screen.fields["name"].fill("x" * 256)
        await on.sees("At most 255 characters fit here; these are 256.")
        assert await cloud.session.query("VmInstance") == []


async def test_a_refusal_goes_to_its_field(cloud: Cloud) -> None:
    async with screens(cloud.socket, LARGE) as on:
        await on.press("n")
        await on.sees("Create VM")
        await on.write("web-1")
        form = on.app.screen
        assert isinstance(form, Form)
        form.fields["hostname"].fill("not a host name")
        await on.press("ctrl+s")
        await on.sees("not a host name is not a host name: letters, digits, dashes and dots make one.")
        assert form.fields["hostname"].error
        assert form.fields["hostname"].has_focus_within
        # Once more from that field: nothing is asked any more when the answer is there.
        form.fields["hostname"].fill("nor this one")
        await on.press("ctrl+s")
        await on.sees("nor this one is not a host name")
        assert "asking the appliance" not in on.whole()


async def test_what_was_typed_is_not_lost_unasked(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.press("n")
        await on.sees("Create VM")
        await on.press("escape")
        await on.until(lambda: on.app.screen is on.browser)
        await on.press("n")
        await on.sees("Create VM")
        await on.write("web")
        await on.press("escape")
        await on.sees("Throw away what you typed?")
        await on.press("n")
        await on.sees("Create VM", "web")
        await on.press("escape", "y")
        await on.until(lambda: on.app.screen is on.browser)


async def test_sizes_take_units(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.press("colon")
        await on.write("off")
        await on.press("enter", "n")
        await on.sees("Create instance offering")
        form = on.app.screen
        assert isinstance(form, Form)
        for wire, text in (("name", "big"), ("cpuNum", "x"), ("cpuSpeed", "1000"), ("memorySize", "1.5G")):
            form.fields[wire].fill(text)
        await on.press("ctrl+s")
        await on.sees("This must be a whole number, and is x.")
        form.fields["cpuNum"].fill("2")
        await on.press("ctrl+s")
        await on.sees("big", "1.5G")


async def test_services_are_attached_by_their_provider(cloud: Cloud) -> None:
    await cloud.make("CreateL3Network", name="lan2", l2NetworkUuid=cloud.uuids["wire"])
    async with screens(cloud.socket, LARGE) as on:
        await on.browser.go("net", cloud.uuids["lan2"])
        await on.sees("none: press x")
        await on.press("x")
        await on.write("attach network service")
        await on.press("enter")
        await on.sees("Attach network service")
        await on.press("ctrl+s")
        await on.sees("DHCP, Userdata")


async def test_a_call_whose_form_was_left_still_says_how_it_ends(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with screens(cloud.socket, LARGE) as on:
        held = asyncio.Event()
        make = on.app.calls.make

        async def slow(*words: Any, **fields: Any) -> dict[str, Any]:
            await held.wait()
            return await make(*words, **{**fields, "instanceOfferingUuid": "f" * 32})

        monkeypatch.setattr(on.app.calls, "make", slow)
        await on.press("n")
        await on.sees("Create VM")
        await on.write("left")
        await on.press("ctrl+s")
        await on.sees("asking the appliance")
        await on.press("escape")
        await on.sees("Throw away")
        await on.press("tab", "enter")
        await on.until(lambda: on.app.screen is on.browser, "the list again")
        held.set()
        await on.until(lambda: on.app._notifications, "what was told")
        [told] = on.app._notifications
        assert told.message == (
            "create VM left: Offering: What was chosen is not there any more; choose another. [SYS.1003]"
        )


async def test_a_wrong_password_is_said_at_the_password(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: Any, **__: Any) -> dict[str, Any]:
        raise AddHostFailed(
            "managementIp[10.0.0.9]: 10.0.0.9:22 refuses the login of root: wrong user or password"
        )

    async with screens(cloud.socket, LARGE) as on:
        monkeypatch.setattr(on.app.calls, "make", refused)
        form = Form("AddKVMHost", on.app.mirror, shown={"name": "node-c", "managementIp": "10.0.0.9"})
        on.app.push_screen(form)
        await on.until(lambda: form.is_current and form.fields, "the form")
        form.fields["clusterUuid"].fill(cloud.uuids["cluster1"])
        form.fields["username"].fill("root")
        form.fields["password"].fill("guess")
        await on.press("ctrl+s")
        await on.sees("wrong user or password", "[HOST.1000]")
        assert form.fields["password"].has_focus_within
        assert not form.fields["managementIp"].error


async def test_fast_fingers_open_one_list(cloud: Cloud) -> None:
    """Keys that are typed ahead of the screen go into the list that the first of them opened."""
    fields = {"cpuNum": 4, "cpuSpeed": 1000, "memorySize": 4 << 30}
    await cloud.make("CreateInstanceOffering", name="large", **fields)
    async with screens(cloud.socket) as on:
        await on.press("n")
        await on.sees("Create VM")
        form = on.app.screen
        assert isinstance(form, Form)
        [pick] = form.fields["instanceOfferingUuid"].query(Pick)
        pick.focus()
        for letter in "large":
            pick.post_message(events.Key(letter, letter))
        await on.until(lambda: isinstance(on.app.screen, Chooser), "the list")
        await on.until(lambda: on.app.screen.query_one(Entry).value == "large", "what was typed")
        await on.press("enter")
        await on.until(lambda: on.app.screen is form, "the form, below one list")
        assert pick.keys == [cloud.uuids["large"]]


async def test_no_room_is_said_below_what_wants_it(cloud: Cloud) -> None:
    await cloud.make("CreateInstanceOffering", name="huge", cpuNum=1, cpuSpeed=1, memorySize=1 << 50)
    async with screens(cloud.socket, LARGE) as on:
        await on.press("n")
        await on.sees("Create VM")
        await on.write("web-1")
        form = on.app.screen
        assert isinstance(form, Form)
        form.fields["instanceOfferingUuid"].fill(cloud.uuids["huge"])
        await on.press("ctrl+s")
        await on.sees("No host has enough memory: take a smaller instance offering", "[HOST_ALLOCATION.1000]")
        assert form.fields["instanceOfferingUuid"].error
        assert cloud.uuids["huge"] not in on.whole()
