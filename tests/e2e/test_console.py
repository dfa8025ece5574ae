"""A guest's screen through the appliance: VNC of the real QEMU, by a token, over a WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from appliance.api.console import ConsoleEnd, ConsoleEnded
from appliance.client_console import ConsoleStream
from appliance.hosts.vnc import CHALLENGE_BYTES, PASSWORD, answer
from tests.e2e.conftest import VmFactory
from tests.e2e.guest import BOOT_SECONDS, Guest
from tests.e2e.stage import Stage
from tests.zstui.conftest import nobody, screens
from zstui.vnc_view import VncView

__all__ = ["nobody"]

VERSION = b"RFB 003.008\n"
SHARED = b"\x01"


async def taken(socket: aiohttp.ClientWebSocketResponse, size: int) -> bytes:
    """So many bytes of what the server says."""
    got = b""
    async with asyncio.timeout(20):
        while len(got) < size:
            got += await socket.receive_bytes()
    return got


async def test_a_token_opens_the_screen_of_its_guest(cloud: Stage, vm: VmFactory) -> None:
    guest = await vm("screen", host=2)
    body: dict[str, Any] = await cloud.session.call("RequestConsoleAccess", vm_instance_uuid=guest.uuid)
    where = body["inventory"]
    assert (where["scheme"], where["port"]) == ("http", cloud.appliance.port)
    url = f"ws://{where['hostname']}:{where['port']}/websockify"
    asked = {"token": where["token"]}
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(url, params=asked, protocols=("binary",)) as socket:
            assert await taken(socket, 12) == VERSION
            await socket.send_bytes(VERSION)
            count, *kinds = await taken(socket, 2)
            assert (count, kinds) == (1, [1]), "no password, since the token was one"
            await socket.send_bytes(b"\x01")
            assert await taken(socket, 4) == bytes(4)
            await socket.send_bytes(SHARED)
            start = await taken(socket, 24)
            width, height = int.from_bytes(start[:2], "big"), int.from_bytes(start[2:4], "big")
            assert width >= 640
            assert height >= 400
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await http.ws_connect(url, params=asked)
        assert refused.value.status == 403


async def test_an_address_is_what_the_running_vm_has_whatever_the_setting_is_now(
    cloud: Stage, vm: VmFactory
) -> None:
    await cloud.setting("kvm", "vm.consoleMode", "spice")
    try:
        guest = await vm("spicy", host=1)
    finally:
        await cloud.setting("kvm", "vm.consoleMode", "vnc")
    for protocol in ("spice", "vnc"):
        said: dict[str, Any] = await cloud.session.call("GetVmConsoleAddress", uuid=guest.uuid)
        shown = (await cloud.virsh(guest.host, "domdisplay", guest.uuid)).strip()
        if protocol == "vnc":  # virsh counts screens here
            shown = shown.replace(f":{said['port'] - 5900}", f":{said['port']}")
        password: dict[str, Any] = await cloud.session.call("GetVmConsolePassword", uuid=guest.uuid)
        assert len(password["consolePassword"]) == 8
        assert (said["protocol"], shown) == (protocol, f"{protocol}://{said['hostIp']}:{said['port']}")
        await (await guest.stop()).start()


async def refuses(where: dict[str, Any], password: str) -> bool:
    """Whether the VNC server itself, past the appliance, asks for a password and takes not this one."""
    reader, writer = await asyncio.open_connection(where["hostIp"], where["port"])
    try:
        async with asyncio.timeout(20):
            assert await reader.readexactly(12) == VERSION
            writer.write(VERSION)
            (count,) = await reader.readexactly(1)
            assert await reader.readexactly(count) == bytes([PASSWORD]), "it is open"
            writer.write(bytes([PASSWORD]))
            writer.write(answer(password, await reader.readexactly(CHALLENGE_BYTES)))
            if await reader.readexactly(4) != bytes(4):
                return True
            writer.write(SHARED)
            await reader.readexactly(24)
            return False
    finally:
        writer.close()


async def test_a_console_takes_one_password_once_and_soon(cloud: Stage, vm: VmFactory) -> None:
    guest, other = await vm("locked", host=1), await vm("other", host=1)

    async def password(of: Guest = guest) -> str:
        reply: dict[str, Any] = await cloud.session.call("GetVmConsolePassword", uuid=of.uuid)
        assert reply["validSeconds"] == 60
        return str(reply["consolePassword"])

    where: dict[str, Any] = await cloud.session.call("GetVmConsoleAddress", uuid=guest.uuid)
    first, second, others = await password(), await password(), await password(other)
    for wrong in ("", "aaaaaaaa", others, first):
        assert await refuses(where, wrong)
    assert not await refuses(where, second)
    async with asyncio.timeout(30):
        while not await refuses(where, second):  # it is taken back when a viewer is in
            await asyncio.sleep(0.1)
    given = await password()
    async with await cloud.session.console(guest.uuid, "vnc") as stream:
        assert await anext(aiter(stream)) == VERSION
        assert await refuses(where, given), "the appliance's own viewer had another take its place"
    late = await password()
    await asyncio.sleep(61)
    assert await refuses(where, late)


async def test_a_console_is_open_where_the_setting_says_so(cloud: Stage, vm: VmFactory) -> None:
    await cloud.setting("kvm", "vm.consolePassword", "false")
    try:
        guest = await vm("open", host=1)
    finally:
        await cloud.setting("kvm", "vm.consolePassword", "true")
    reply: dict[str, Any] = await cloud.session.call("GetVmConsolePassword", uuid=guest.uuid)
    assert reply["consolePassword"] == ""
    where: dict[str, Any] = await cloud.session.call("GetVmConsoleAddress", uuid=guest.uuid)
    with pytest.raises(AssertionError, match="open"):
        await refuses(where, "")


async def test_a_guest_is_watched_while_it_boots_and_typed_into(cloud: Stage, vm: VmFactory) -> None:
    guest = await vm("typed", host=2)
    async with await cloud.session.console(guest.uuid, "serial") as stream:
        await logged_in(stream)
        await stream.send(b"echo $((6*7))-$(uname -s)\r")
        assert b"\n42-Linux" in await shown(stream, b"\n42-Linux")
        async with await cloud.session.console(guest.uuid, "serial") as other:
            await shown(other, b"\n42-Linux")
            await stream.send(b"echo seen-by-$((1+1))\r")
            await shown(other, b"\nseen-by-2")
            await shown(stream, b"\nseen-by-2")
        await stream.send(b"poweroff\r")
        with pytest.raises(ConsoleEnded) as end:
            await shown(stream, b"never")
        assert (end.value.end, end.value.reason) == (ConsoleEnd.VM_OFF, "the VM is off")


async def test_a_guest_that_floods_its_line_is_not_held_up_nor_kept(cloud: Stage, vm: VmFactory) -> None:
    guest = await (await vm("flood", host=1)).booted()
    async with await cloud.session.console(guest.uuid, "serial") as stream:
        await logged_in(stream)
        await stream.send(b"yes | head -c 500000; echo the-$((1+1))nd-end\r")
        await asyncio.sleep(5)  # a viewer that does not look
        seen = b""
        async with asyncio.timeout(120):
            async for said in stream:
                seen = (seen + said)[-4096:] if isinstance(said, bytes) else seen
                if b"\nthe-2nd-end" in seen:
                    return
    raise AssertionError(f"the guest never came to its end: {seen[-200:]!r}")


async def logged_in(stream: ConsoleStream) -> None:
    """Log in at the tiny guest's console, once its boot is seen."""
    assert b"zstui-tiny: ready" in await shown(stream, b" login: ")
    await stream.send(b"root\r")
    await shown(stream, b"# ")


async def shown(stream: ConsoleStream, what: bytes) -> bytes:
    """What a console shows, until something is there."""
    seen = b""
    async with asyncio.timeout(BOOT_SECONDS):
        async for said in stream:
            seen += said if isinstance(said, bytes) else b""
            if what in seen:
                return seen
    raise AssertionError(f"{what!r} is not in {seen[-3000:]!r}")


async def test_the_screens_show_the_guest_and_take_keys(cloud: Stage, vm: VmFactory) -> None:
    await (await vm("seen", host=2)).booted()
    async with screens(cloud.appliance.socket, (160, 48)) as on:
        await on.sees("seen", "◉ Running")
        await on.press("c")
        await on.sees("seen serial ◉ live", "zstui-tiny: ready", "login:")
        await on.write("root")
        await on.press("enter")
        await on.sees("root@seen:~#")
        await on.write("echo $((6*7))")
        await on.press("enter")
        await on.until(lambda: any(line.startswith("42 ") for line in on.text()), "the answer")
        await on.press("f11")
        await on.sees("seen VNC ◉ live", "720×400")
        view = on.app.screen.query_one(VncView)
        await on.until(lambda: pixels(view) != b"", "a picture")
        await on.pilot.pause(1.0)
        before = pixels(view)
        await on.write("root")
        await on.press("enter")
        await on.until(lambda: difference(before, pixels(view)) > 200, "pixels that keys changed")
        await on.press("ctrl+right_square_bracket")
        await on.until(lambda: on.app.screen is on.browser, "the list again")


def pixels(view: VncView) -> bytes:
    """What a screen shows; nothing as long as that is black."""
    shown = view.rfb.pixels.tobytes() if view.rfb is not None else b""
    return shown if any(shown) else b""


def difference(one: bytes, two: bytes) -> int:
    """How many bytes of two pictures differ."""
    return sum(a != b for a, b in zip(one, two, strict=False))
