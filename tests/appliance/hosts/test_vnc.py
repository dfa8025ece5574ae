"""The way in to a VNC server: its password is given by the appliance, and its viewer is asked for none."""

from __future__ import annotations

import asyncio

import pytest

from appliance.api.errors import HostUnreachable
from appliance.hosts.simulated_console import SimulatedConsole
from appliance.hosts.vnc import GREETING, OPEN, WELL, WrongPassword, answer, entered


class Said(SimulatedConsole):
    """One that says these bytes and no more."""

    def __init__(self, *said: bytes) -> None:
        super().__init__()
        self._inbox = asyncio.Queue()
        for each in (*said, b""):
            self._inbox.put_nowait(each)

    def write(self, data: bytes) -> None:
        """Hears nothing."""


def test_a_challenge_is_answered_as_viewers_do() -> None:
    """tests/e2e/test_console.py has QEMU take such answers."""
    assert answer("secret12", bytes(16)).hex() == "40377308e205e622" * 2
    assert answer("secret12 and more", bytes(16)) == answer("secret12", bytes(16))


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_viewer_is_asked_for_nothing(guarded: bool) -> None:
    server = SimulatedConsole((lambda: "pa55word") if guarded else None)
    console = await entered(server, "pa55word" if guarded else "")
    assert await console.read() == GREETING
    console.write(GREETING[:5])
    console.write(GREETING[5:] + bytes([OPEN]))
    assert [await console.read(), await console.read()] == [bytes([1, OPEN]), WELL]
    console.write(b"\x01")
    assert (await console.read())[:4] == b"\x00\x40\x00\x28", "the size of its screen"


async def test_a_wrong_password_is_said() -> None:
    with pytest.raises(WrongPassword, match="try again"):
        await entered(SimulatedConsole(lambda: "pa55word"), "password")


async def test_an_older_viewer_is_at_its_end() -> None:
    console = await entered(SimulatedConsole(), "")
    await console.read()
    console.write(b"RFB 003.003\n")
    assert await console.read() == b""


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ((), "ended the connection"),
        ((b"SSH-2.0-OpenSSH\r\n",), "is it QEMU's"),
        ((GREETING, b"\x01\x13"), "security \\[19\\]"),
        ((GREETING + b"\x02\x13\x02", b"short"), "ended the connection"),
    ],
)
async def test_what_is_no_such_server_is_said(said: tuple[bytes, ...], text: str) -> None:
    with pytest.raises(HostUnreachable, match=text):
        await entered(Said(*said), "x")
