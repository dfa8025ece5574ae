"""The full screen by OpenSSH's own client: logged in, used, resized; and nothing else by that line."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from appliance.client import Session
from tests.e2e.appliance_process import PASSWORD
from tests.faces.cells import Program
from tests.faces.conftest import Served

pytestmark = pytest.mark.timeout(240)


def ssh(served: Served, folder: Path, *before: str, after: tuple[str, ...] = ()) -> list[str]:
    """A command line of the client, which trusts the key it sees first and has nothing but a password."""
    options = {
        "StrictHostKeyChecking": "accept-new", "UserKnownHostsFile": str(folder / "known_hosts"),
        "PreferredAuthentications": "password", "PubkeyAuthentication": "no", "LogLevel": "INFO",
        "SendEnv": "LANG",
    }  # fmt: skip
    given = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return [
        "ssh",
        "-F",
        "none",
        *given,
        "-p",
        str(served.ssh_port),
        "-l",
        "admin",
        *before,
        "127.0.0.1",
        *after,
    ]


def environment(language: str = "en_US.UTF-8") -> dict[str, str]:
    return {**os.environ, "LANG": language}


async def test_the_first_steps_of_the_tour(served: Served, tmp_path: Path) -> None:
    async with Program(*ssh(served, tmp_path), environment=environment()) as screen:
        await screen.cells.sees("password:")
        screen.press("wrong\r")
        await screen.cells.sees("wrong account name or password")
        # What is typed before it asks again is thrown away by ssh.
        await screen.cells.until(lambda shown: shown.count("password:") == 2, "another question for it")
        screen.press(f"{PASSWORD}\r")
        await screen.cells.sees("◉ live", "web-1", "数据库主机", "vms 2/2")
        screen.press("2")
        await screen.cells.sees("node-a", "Connected")
        screen.resize(120, 30)
        await screen.cells.until(lambda _: "find" in screen.cells.lines[29], "keys in the lowest line")
        screen.press("1")
        await screen.cells.sees("web-1")
        screen.press("n")
        await screen.cells.sees("Create VM", "small", "tiny", "lan")
        screen.press("网关-测试")
        await screen.cells.sees("网关-测试")
        screen.press("\x13")
        await screen.cells.sees("vms 3/3", "网关-测试")
        async with await Session.connect(served.socket) as session:
            [made] = await session.query("VmInstance", name="网关-测试")
            assert made["state"] == "Running"
        screen.press("c")
        await screen.cells.sees("网关-测试 serial ◉ live", "This guest is simulated")
        screen.press("\x1d")
        await screen.cells.sees("vms 3/3", "网关-测试")
        screen.press("q")
        async with asyncio.timeout(30):
            assert await screen.process.wait() == 0


async def test_the_language_of_the_client_is_spoken(served: Served, tmp_path: Path) -> None:
    async with Program(*ssh(served, tmp_path), environment=environment("zh_CN.UTF-8")) as screen:
        await screen.cells.sees("password:")
        screen.press(f"{PASSWORD}\r")
        await screen.cells.sees("数据库主机", "运行中")


NOTHING = "is not run: this shows the full screen and nothing else"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("", "id", f"'id' {NOTHING}"),
        ("-tt", "sh -i", f"'sh -i' {NOTHING}"),
        ("-T", "", "needs a terminal"),
        ("-s", "sftp", "subsystem request failed"),
        ("-W 127.0.0.1:22", "", "open failed"),
        ("-N -o ExitOnForwardFailure=yes -R 0:127.0.0.1:22", "", "forwarding failed"),
    ],
)
async def test_a_line_does_nothing_else(
    served: Served, tmp_path: Path, before: str, after: str, said: str
) -> None:
    words = ssh(served, tmp_path, *before.split(), after=tuple(after.split()))
    async with Program(*words, environment=environment(), columns=160) as screen:
        await screen.cells.sees("password:")
        screen.press(f"{PASSWORD}\r")
        await screen.cells.sees(said)
        async with asyncio.timeout(30):
            assert await screen.process.wait() != 0


async def test_a_full_screen_dies_with_its_appliance(served: Served, tmp_path: Path) -> None:
    async with Program(*ssh(served, tmp_path), environment=environment()) as screen:
        await screen.cells.sees("password:")
        screen.press(f"{PASSWORD}\r")
        await screen.cells.sees("◉ live")
        assert len(children_of(served)) == 1
        await served.kill()
        async with asyncio.timeout(30):
            while children_of(served):
                await asyncio.sleep(0.05)


def children_of(served: Served) -> list[int]:
    """The full screens that an appliance runs."""
    socket = os.fsencode(served.folder / "faces.sock")
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if socket in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found
