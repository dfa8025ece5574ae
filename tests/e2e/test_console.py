"""A guest's screen through the appliance: VNC of the real QEMU, by a token, over a WebSocket."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from tests.e2e.conftest import VmFactory
from tests.e2e.stage import Stage

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
        assert (said["protocol"], shown) == (protocol, f"{protocol}://{said['hostIp']}:{said['port']}")
        await (await guest.stop()).start()
