"""Forms made from declarations: pickers, live checks, the appliance's errors at their fields."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual import events

from appliance.api.errors import AddHostFailed, ApiError
from appliance.api.message import MESSAGES
from tests.zstui.conftest import LARGE, Cloud, Screens, screens
from zstui.cells import fit
from zstui.controls import Pick
from zstui.fields import Field
from zstui.inputs import Entry
from zstui.mirror import Row
from zstui.screens.chooser import Chooser
from zstui.screens.form import Form
from zstui.screens.help import Help
from zstui.sheet import Sheet


def the_form(on: Screens) -> Form:
    """The form that is shown."""
    form = on.app.screen
    assert isinstance(form, Form)
    return form


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
        form = the_form(on)
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
        await on.until(lambda: isinstance(on.app.screen, Form) and on.app.screen.fields, "the form")
        form = the_form(on)
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


async def test_what_is_typed_ahead_of_a_choice_finds_what_it_opens(cloud: Cloud) -> None:
    await cloud.vm("one")
    await cloud.vm("other")
    async with screens(cloud.socket) as on:
        await on.sees("one", "other")
        type_at_once(on, "colon", *"other", "enter", "b")
        await on.sees("What other starts from")


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
        await on.sees("Esc goes back, and this goes on by itself")
        await on.press("escape")
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
        form = the_form(on)
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
        form = the_form(on)
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
        await on.sees("none: press w")
        await on.press("x")
        await on.write("attach network service")
        await on.press("enter")
        await on.sees("Attach network service")
        await on.press("ctrl+s")
        await on.sees("DHCP, Userdata")


class Held:
    """Calls that are held until they are let go, and end as they are told to."""

    def __init__(self, on: Screens, monkeypatch: pytest.MonkeyPatch, error: ApiError) -> None:
        self.go = asyncio.Event()
        self._error = error
        monkeypatch.setattr(on.app.calls, "make", self._make)

    async def _make(self, *_: Any, **__: Any) -> dict[str, Any]:
        await self.go.wait()
        raise self._error


REFUSED = "managementIp[10.0.0.9]: 10.0.0.9:22 refuses the login of root: wrong user or password"


async def a_host_form(on: Screens, cloud: Cloud) -> Form:
    """The form of a host, filled and sent."""
    await on.browser.action_show("host")
    await on.press("n")
    await on.sees("Add KVM host")
    form = the_form(on)
    texts = {"name": "node-c", "managementIp": "10.0.0.9", "username": "root", "password": "guess"}
    for wire, text in {**texts, "reservedMemory": "2G"}.items():
        form.fields[wire].fill(text)
    form.fields["clusterUuid"].fill([cloud.uuids["cluster1"]])
    await on.press("ctrl+s")
    await on.sees("asking the appliance", "Esc goes back")
    return form


def held_by(form: Form) -> dict[str, Any]:
    return {wire: field.held for wire, field in form.fields.items()}


async def test_a_form_waits_for_an_error_that_comes_late_and_keeps_what_was_typed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with screens(cloud.socket) as on:
        held = Held(on, monkeypatch, AddHostFailed(REFUSED))
        form = await a_host_form(on, cloud)
        typed = held_by(form)
        await on.press("D", "x")
        assert on.app.screen is form
        held.go.set()
        await on.sees("refuses the login of root", "[HOST.1000]")
        assert form.fields["password"].has_focus_within
        assert held_by(form) == typed
        await on.write("!")
        assert form.fields["password"].held == "guess!"


async def test_an_error_that_is_about_no_field_stays_until_something_is_changed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with screens(cloud.socket) as on:
        held = Held(on, monkeypatch, AddHostFailed("the cloud is full"))
        await a_host_form(on, cloud)
        held.go.set()
        await on.sees("cloud is full")
        await on.press("tab")
        await on.sees("cloud is full")
        await on.press("f2")
        await on.sees("cloud is full", "添加")
        await on.write("x")
        await on.misses("cloud is full")


async def test_a_form_that_was_left_is_had_again_as_it_was_filled_when_its_call_failed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with screens(cloud.socket) as on:
        await on.press("N")
        await on.sees("no call of a form has failed")
        held = Held(on, monkeypatch, AddHostFailed(REFUSED))
        form = await a_host_form(on, cloud)
        typed = held_by(form)
        await on.press("escape")
        await on.until(lambda: on.app.screen is on.browser, "the list again")
        held.go.set()
        await on.until(lambda: on.app._notifications, "what was told")
        [told] = on.app._notifications
        assert told.message.startswith("add KVM host node-c: 10.0.0.9:22 refuses the login of root")
        assert told.message.endswith("[HOST.1000] · N opens the form again, as it was filled")
        await on.press("N")
        await on.sees("Add KVM host", "refuses the login of root")
        again = the_form(on)
        assert held_by(again) == typed
        assert again.fields["password"].has_focus_within
        await on.press("escape")
        await on.sees("Throw away what you typed?")
        assert on.app.calls.drafts == []


@pytest.mark.long
async def test_fields_of_a_form_have_names_of_their_own_and_those_of_simulated_hosts_are_theirs(
    cloud: Cloud,
) -> None:
    async with screens(cloud.socket) as on:
        for message in sorted(MESSAGES):
            if not message.startswith(("Query", "Get")):
                form = Form(message, on.app.mirror)
                await on.app.push_screen(form)
                shown = list(form.query(Field))
                assert list(form.fields.values()) == shown, message
                labels = [fit(field.label, 18) for field in shown]
                assert len(set(labels)) == len(labels), (message, labels)
                simulated = {"delay", "faultRate"} & form.fields.keys()
                assert simulated == ({"delay", "faultRate"} if message == "AddSimulatorHost" else set())
                form.dismiss(None)
                await on.until(lambda: on.app.screen is on.browser, "the form gone")


async def test_the_call_is_shown_as_far_as_it_is_right(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket, LARGE) as on:
        await on.sees("web-1")
        await on.press("E")
        await on.sees("Update VM")
        form = the_form(on)
        form.fields["name"].fill("a/b")
        await on.sees(f"UpdateVmInstance uuid={uuid}", "A name has no quotes")
        form.fields["description"].fill("of mine")
        await on.sees(f"UpdateVmInstance uuid={uuid} description='of mine'")


@pytest.mark.parametrize("before", [[], ["lan"]])
async def test_enter_takes_what_was_typed_for_besides_what_was_chosen(
    cloud: Cloud, before: list[str]
) -> None:
    for name in ("lan2", "lan3"):
        await cloud.make("CreateL3Network", name=name, l2NetworkUuid=cloud.uuids["wire"])
    async with screens(cloud.socket) as on:
        await on.press("n")
        await on.sees("Create VM")
        form = the_form(on)
        form.fields["l3NetworkUuids"].fill([cloud.uuids[name] for name in before])
        [pick] = form.fields["l3NetworkUuids"].query(Pick)
        pick.focus()
        await on.press("enter")
        await on.sees("Space marks")
        await on.write("lan3")
        await on.press("enter")
        await on.until(lambda: on.app.screen is form, "the form again")
        assert [on.app.mirror.name(key) for key in pick.keys] == [*before, "lan3"]
        await on.press("enter")
        await on.sees("Space marks")
        await on.press("enter")
        await on.until(lambda: on.app.screen is form, "the form again")
        assert [on.app.mirror.name(key) for key in pick.keys] == [*before, "lan3"]


async def test_esc_in_a_question_is_always_the_careful_answer(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.press("n")
        await on.sees("Create VM")
        await on.write("web")
        for _ in range(2):
            await on.press("escape")
            await on.sees("Throw away what you typed?", "y throw it away · Esc go on editing")
            await on.press("escape")
            await on.sees("Create VM", "web")
            assert isinstance(on.app.screen, Form)
        await on.press("escape", "enter")
        assert isinstance(on.app.screen, Form)
        await on.press("escape", "y")
        await on.until(lambda: on.app.screen is on.browser)
        await on.press("question_mark")
        await on.until(lambda: isinstance(on.app.screen, Help), "the help")
        assert any("Esc is the careful answer" in item.text for item in on.app.screen.query_one(Sheet).items)


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


async def test_what_the_appliance_answers_has_its_code_and_what_is_said_before_has_none(cloud: Cloud) -> None:
    [node, *_] = await cloud.session.query("Host")
    async with screens(cloud.socket, LARGE) as on:
        form = Form(
            "AddKVMHost", on.app.mirror, shown={"name": "node-c", "managementIp": node["managementIp"]}
        )
        on.app.push_screen(form)
        await on.until(lambda: form.is_current and form.fields, "the form")
        form.fields["clusterUuid"].fill(cloud.uuids["cluster1"])
        await on.press("ctrl+s")
        await on.sees("This is needed.")
        assert "[SYS.1007]" not in on.whole()
        form.fields["username"].fill("root")
        await on.press("ctrl+s")
        await on.sees(f"{node['managementIp']} is another host's already. [SYS.1007]")


async def test_fast_fingers_open_one_list(cloud: Cloud) -> None:
    """Keys that are typed ahead of the screen go into the list that the first of them opened."""
    fields = {"cpuNum": 4, "cpuSpeed": 1000, "memorySize": 4 << 30}
    await cloud.make("CreateInstanceOffering", name="large", **fields)
    async with screens(cloud.socket) as on:
        await on.press("n")
        await on.sees("Create VM")
        form = the_form(on)
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
        form = the_form(on)
        form.fields["instanceOfferingUuid"].fill(cloud.uuids["huge"])
        await on.press("ctrl+s")
        await on.sees("No host has enough memory: take a smaller instance offering", "[HOST_ALLOCATION.1000]")
        assert form.fields["instanceOfferingUuid"].error
        assert cloud.uuids["huge"] not in on.whole()


async def test_a_vm_in_a_state_that_nobody_can_ask_for_is_renamed(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    async with screens(cloud.socket) as on:
        await on.sees("◉ Running")
        row = on.app.mirror.rows["VmInstance"][uuid]
        on.app.mirror._put(Row(row.kind, uuid, {**row.data, "state": "Unknown"}))
        on.app.mirror.flush()
        await on.press("E")
        await on.sees("Update VM")
        await on.press("ctrl+u", *"web-2", "ctrl+s")
        await on.until(lambda: on.app.screen is on.browser, "the form has been sent")
    [vm] = await cloud.session.query("VmInstance", uuid=uuid)
    assert vm["name"] == "web-2"


async def test_the_form_of_a_setting_says_what_it_may_be(cloud: Cloud) -> None:
    async with screens(cloud.socket, LARGE) as on:
        await on.press("colon")
        await on.write("settings")
        await on.press("enter")
        await on.sees("deletionPolicy")
        row = next(each for each in on.app.mirror.all("GlobalConfig")
                   if (each.get("category"), each.get("name")) == ("vm", "deletionPolicy"))  # fmt: skip
        given = {"category": "vm", "name": "deletionPolicy"}
        on.browser.open_form("UpdateGlobalConfig", given=given, shown=row.data)
        await on.sees("◉ Delay", "◌ Direct", "◌ Never")
        await on.press("escape")
        on.browser.open_form("UpdateGlobalConfig", given={"category": "kvm", "name": "dataVolume.maxNum"})
        await on.sees("A whole number from")


async def test_the_only_offering_is_taken_when_it_comes_unless_somebody_has_chosen(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.sees("No VMs yet")
        rows = on.app.mirror.rows
        kept = {kind: dict(rows[kind]) for kind in ("InstanceOffering", "Image")}
        for kind in kept:
            rows[kind].clear()
        await on.press("n")
        await on.sees("* offering")
        form = the_form(on)
        assert form.fields["instanceOfferingUuid"].value is None
        image = form.fields["imageUuid"].control
        assert isinstance(image, Pick)
        image.action_clear()
        for each in (*kept["InstanceOffering"].values(), *kept["Image"].values()):
            on.app.mirror._put(each)
        await on.until(lambda: form.fields["instanceOfferingUuid"].value == cloud.uuids["small"])
        assert form.fields["imageUuid"].value is None
        await on.press("escape")
        await on.misses("* offering")
