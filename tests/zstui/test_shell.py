"""The prompt inside the full screen: calls typed, completed, repeated, and the log of those made by keys."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from textual.widgets import Input, TextArea

from appliance.api.errors import Cancelled
from tests.zstui.conftest import SMALL, Cloud, screens
from zstui import jobs
from zstui.__main__ import _parser
from zstui.mirror import Row
from zstui.options import program_words
from zstui.screens.shell import error_items


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


@pytest.mark.parametrize("word", ["console", "api", "log"])
async def test_it_is_found_by_name_as_every_list(cloud: Cloud, word: str) -> None:
    async with screens(cloud.socket, SMALL) as on:
        await on.press("colon")
        await on.write(word)
        await on.sees("API console")
        await on.press("enter")
        await on.sees(">>>", "Tab completes")


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
        await on.press("up")
        await on.until(
            lambda: on.app.screen.query_one(Input).value.endswith(" nonsense=1"), "what is to be mended"
        )
        await on.press(*["backspace"] * len(on.app.screen.query_one(Input).value))
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
            "CreateZone name='": "the line has no closing ' at its end; complete it",
            "help CreateZone": "Create a zone.",
        }.items():
            await on.write(line)
            await on.press("enter")
            await on.sees(said)


async def test_what_is_copied_is_carried_out_in_any_shell(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [os.fspath(Path(sys.executable).with_name("zstui"))])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    program = program_words(_parser().parse_args(["--data", os.fspath(tmp_path)]))
    async with screens(cloud.socket, program=program) as on:
        await on.press("L")
        await on.write("CreateZone name='two words'")
        await on.press("ctrl+y")
        assert on.app.clipboard.startswith(f"{program} call CreateZone")
        assert json.loads(await in_bash(on.app.clipboard))["success"] is True
        await on.press("enter")
        await on.sees('"success": true')
        await on.press("ctrl+y")
        copied = on.app.clipboard
        assert json.loads(await in_bash(copied))["inventory"]["name"] == "two words"
        answers = await in_bash(f"{program} shell", f"{copied}\n>>> zstui call QueryZone count=true\n")
        assert answers.count('"success": true') == 2
        on.app.screen.query_one(Input).value = copied
        await on.press("enter")
        await on.until(
            lambda: len(on.app.calls.log) == 2 and on.app.calls.log[1].reply, "carried out once more"
        )
        assert len(await cloud.session.query("Zone", name="two words")) == 5


async def in_bash(line: str, given: str = "") -> str:
    """What a line prints in a shell; it must end well."""
    shell = await asyncio.create_subprocess_exec(
        "bash", "-c", line, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await shell.communicate(given.encode())
    assert shell.returncode == 0
    return out.decode()


def test_what_is_copied_says_which_appliance_and_whom_to_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.fspath(Path(sys.executable).with_name("zstui"))
    monkeypatch.setattr(sys, "argv", [own])
    monkeypatch.setenv("PATH", os.fspath(Path(own).parent))
    given = ["--connect", "https://cloud.example:8080", "--certificate", "/c d.pem"]
    expected = "zstui --connect https://cloud.example:8080 --certificate '/c d.pem'"
    assert program_words(_parser().parse_args(given)) == expected
    assert program_words(_parser().parse_args([])) == "zstui"
    monkeypatch.setenv("PATH", "/nowhere")
    assert program_words(_parser().parse_args([])) == own


async def test_a_call_that_was_cancelled_is_no_fault(cloud: Cloud) -> None:
    async with screens(cloud.socket) as on:
        await on.sees("vms 0")
        with pytest.raises(Cancelled), on.app.calls._logged("StopVmInstance", {"uuid": "0" * 32}):
            raise Cancelled("cancelled by its caller")
        await on.sees("◌ cancelled")
        assert {item.paint for item in error_items(Cancelled("cancelled by its caller"))} == {"dim"}
        job = Row(
            "LongJob", "k", {"state": "Canceled", "jobResult": '{"details": "cancelled by its caller"}'}
        )
        assert jobs.outcome(job, on.app.mirror) == ("cancelled by its caller", "dim")
