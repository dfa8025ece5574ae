"""The prompt inside the full screen: calls typed, completed, repeated, and the log of those made by keys."""

from __future__ import annotations

from textual.widgets import TextArea

from tests.zstui.conftest import SMALL, Cloud, screens


async def test_a_call_is_typed_completed_and_answered(cloud: Cloud) -> None:
    async with screens(cloud.socket, SMALL) as on:
        await on.press("L")
        await on.sees(">>>", "Tab completes")
        await on.write("CreateZ")
        await on.press("tab")
        await on.write("name=typed")
        await on.press("enter")
        await on.sees('"name": "typed"', '"success": true')
        (zone,) = await cloud.session.query("Zone", name="typed")
        await on.write("DeleteZone uuid=typ")
        await on.press("tab")
        await on.sees(f"DeleteZone uuid={zone['uuid']}")
        await on.press("enter")
        await on.until(lambda: on.whole().count('"success": true') == 2, "the zone deleted")
        assert await cloud.session.query("Zone", name="typed") == []


async def test_several_are_offered_and_nothing_typed_is_lost(cloud: Cloud) -> None:
    async with screens(cloud.socket, SMALL) as on:
        await on.press("L")
        await on.write("ReconnectHost uuid=node")
        await on.press("tab")
        await on.sees("node-a", "node-b", ">>> ReconnectHost uuid=node")
        await on.write("-b")
        await on.press("tab")
        (host,) = await cloud.session.query("Host", name="node-b")
        await on.sees(f"uuid={host['uuid']}")


async def test_what_keys_do_stands_there_and_can_be_typed_again(cloud: Cloud) -> None:
    await cloud.vm("web")
    async with screens(cloud.socket, SMALL) as on:
        await on.sees("web", "◉ Running")
        await on.press("S", "S")
        await on.sees("◌ Stopped")
        await on.press("L")
        await on.sees(">>> StopVmInstance uuid=", "done in")
        await on.press("up")
        await on.write(" nonsense=1")
        await on.press("enter")
        await on.sees("has no parameter nonsense")
        await on.write("StartVmInstance uuid=web")
        await on.press("tab", "enter")
        await on.sees('"vmNics": [', '"success": true')
        await on.press("escape")
        await on.sees("web", "◉ Running")


async def test_a_line_with_line_breaks_repeats_what_was_done(cloud: Cloud) -> None:
    uuid = await cloud.vm("web-1")
    script = '#!/bin/sh\nprintf "a\\n" > /x\n' + "# " + "long " * 60 + "\n"

    async def tags() -> list[dict[str, str]]:
        return await cloud.session.query("SystemTag", resource_uuid=uuid)

    async with screens(cloud.socket) as on:
        await on.sees("web-1")
        await on.press("e")
        await on.sees("no user data yet")
        on.app.screen.query_one(TextArea).text = script
        await on.press("ctrl+s")
        await on.sees("saved; the guest gets it")
        await on.press("escape", "L")
        await on.sees("CreateSystemTag", r"tag=$'userdata::#!/bin/sh\nprintf")
        await cloud.session.call("DeleteTag", uuid=(await tags())[0]["uuid"])
        assert await tags() == []
        await on.press("up", "enter")
        await on.until(lambda: on.whole().count('"success": true') == 1, "the line carried out again")
        assert [tag["tag"] for tag in await tags()] == [f"userdata::{script}"]


async def test_what_goes_wrong_is_said_as_the_command_line_says_it(cloud: Cloud) -> None:
    async with screens(cloud.socket, SMALL) as on:
        await on.press("L")
        for line, said in {
            "CreateZone": "code: SYS.1007",
            "CreateEip name=x": "code: SYS.1014",
            "Nonsense": "no message is called Nonsense",
            "CreateZone name='": "No closing quotation",
            "help CreateZone": "Create a zone.",
        }.items():
            await on.write(line)
            await on.press("enter")
            await on.sees(said)
