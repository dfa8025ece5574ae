"""What is said of a machine that SSH cannot be had with: what happened, in words, and what to do next."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from appliance.api.errors import HostUnreachable
from appliance.hosts.fleet import Target
from appliance.hosts.ssh import Ssh


class NoPins:
    """Nothing is pinned."""

    async def pinned(self, machine: str) -> str | None:
        return None

    async def pin(self, machine: str, public_key: str, fingerprint: str) -> None:
        raise AssertionError(machine)


async def said(folder: Path, address: str, port: int = 22) -> str:
    async def admit(_: object) -> None:
        raise AssertionError("nobody was there to be admitted")

    with pytest.raises(HostUnreachable) as refused:
        await Ssh(folder, NoPins()).trust(Target(address, port, "root"), "x", None, admit)
    text = refused.value.details
    assert "Errno" not in text
    assert "('" not in text
    return text


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@asynccontextmanager
async def hanging_up() -> AsyncIterator[int]:
    """Somebody who takes connections and ends them at once."""

    async def taken(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(taken, "127.0.0.1", 0) as server:
        yield int(server.sockets[0].getsockname()[1])


async def test_a_closed_port(tmp_path: Path) -> None:
    port = closed_port()
    assert await said(tmp_path, "127.0.0.1", port) == (
        f"127.0.0.1:{port} refuses the connection: nothing listens there; start sshd on it, or give the port "
        "that its sshd has"
    )


async def test_a_closed_port_of_a_name_with_several_addresses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = closed_port()

    async def both(*_: object, **__: object) -> list[object]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", port)) for last in (1, 2)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    assert f"box:{port} refuses the connection: nothing listens there" in await said(tmp_path, "box", port)


async def test_a_name_that_nobody_knows(tmp_path: Path) -> None:
    assert "nowhere.invalid is no name that" in await said(tmp_path, "nowhere.invalid")


@pytest.mark.parametrize("address", ["10.109.50.999", "300.1.1.1"])
async def test_an_address_with_a_number_too_large_is_no_name(tmp_path: Path, address: str) -> None:
    assert await said(tmp_path, address) == (
        f"{address} is not a valid IPv4 address: that has four numbers from 0 to 255, with dots between"
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EHOSTUNREACH, "there is no route to 10.0.0.1:22"),
        (errno.ENETUNREACH, "there is no route to 10.0.0.1:22"),
        (errno.ECONNRESET, "the connection to 10.0.0.1:22 was lost"),
        (errno.EACCES, "10.0.0.1:22 cannot be reached: Permission denied"),
    ],
)
async def test_what_the_system_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, text: str
) -> None:
    async def failing(*_: object, **__: object) -> None:
        raise OSError(number, f"Connect call failed ('10.0.0.1', 22): {os.strerror(number)}")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", failing)
    assert text in await said(tmp_path, "10.0.0.1")


async def test_somebody_who_hangs_up(tmp_path: Path) -> None:
    async with hanging_up() as port:
        assert f"the connection to 127.0.0.1:{port} was lost" in await said(tmp_path, "127.0.0.1", port)


class Pinned:
    """One key is pinned, whatever the machine is called."""

    def __init__(self, key: asyncssh.SSHKey) -> None:
        self._line = key.export_public_key().decode().strip()

    async def pinned(self, machine: str) -> str | None:
        return self._line

    async def pin(self, machine: str, public_key: str, fingerprint: str) -> None:
        raise AssertionError(machine)


class Watching(asyncssh.SSHServer):
    """Writes down what anybody tried to log in with."""

    tried: list[str]

    def begin_auth(self, username: str) -> bool:
        self.tried.append(username)
        return False


@pytest.mark.parametrize(
    ("kind", "weak", "said"),
    [
        ("ssh-ed25519", {}, ""),
        ("ssh-rsa", {}, ""),
        ("ecdsa-sha2-nistp256", {}, ""),
        ("ssh-ed25519", {"encryption_algs": ["aes128-cbc"]}, "encryption"),
        ("ssh-ed25519", {"encryption_algs": ["aes256-ctr"]}, "encryption"),
        ("ssh-ed25519", {"kex_algs": ["diffie-hellman-group14-sha1"]}, "key exchange"),
        ("ssh-ed25519", {"kex_algs": ["diffie-hellman-group1-sha1"]}, "key exchange"),
    ],
)
async def test_a_machine_with_weak_cryptography_only_is_told_nothing(
    tmp_path: Path, kind: str, weak: dict[str, list[str]], said: str
) -> None:
    key = asyncssh.generate_private_key(kind)
    tried: list[str] = []

    def server() -> Watching:
        watching = Watching()
        watching.tried = tried
        return watching

    async with asyncssh.listen(
        "127.0.0.1", 0, server_host_keys=[key], server_factory=server, **weak
    ) as listening:
        target = Target("127.0.0.1", listening.sockets[0].getsockname()[1], "root")
        ssh = Ssh(tmp_path, Pinned(key))
        if not said:
            connection = await ssh.connection(target)
            connection.close()
            await connection.wait_closed()
        else:
            with pytest.raises(HostUnreachable) as refused:
                await ssh.connection(target)
            assert said in refused.value.details.lower()
        assert tried == ([] if said else ["root"])
