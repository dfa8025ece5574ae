"""Secrets put in by every door, and looked for in all that is written: each may be only where it is asked for.

The control is that what is searched is there: a word that is no secret is found in the same places.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets as dice
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from appliance.api.account import hash_password
from appliance.api.errors import ApiError
from tests.e2e.appliance_process import PASSWORD
from tests.e2e.canaries import Processes, in_files, in_tables
from tests.e2e.conftest import VmFactory
from tests.e2e.pane import Pane
from tests.e2e.stage import Stage
from tests.e2e.test_cli_and_wire import LOGIN, Wire, wire_to

NAME = "seen-canary"
SERVED = "system_tag"
"""The table of what guests are to be served, the one that may hold what is in user data."""


class Secrets:
    """Made-up secrets, each by the way that it is given."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def new(self, way: str) -> str:
        """Another one."""
        self.known[way] = f"Can4ry{dice.token_hex(8)}"
        return self.known[way]

    def add(self, way: str, secret: str) -> str:
        """One that somebody else made up."""
        self.known[way] = secret
        return secret


async def by_the_socket(cloud: Stage, hidden: Secrets) -> None:
    """Passwords of accounts and users, also in calls that are refused, and of machines that are not to be had."""
    call = cloud.session.call
    account = (await call("CreateAccount", name=NAME, password=hidden.new("account, by socket")))["inventory"]
    await call("UpdateAccount", uuid=account["uuid"], password=hidden.new("new of account, by socket"))
    for name, fields in {
        "CreateAccount": {"name": NAME, "password": hidden.new("taken account, by socket")},
        "CreateUser": {"name": [NAME], "password": [hidden.new("user of a wrong type, by socket")]},
        "AddKVMHost": {"name": NAME, "management_ip": cloud.machines[0].address, "username": "root",
                       "cluster_uuid": cloud.cluster, "password": hidden.new("host that is there, by socket")},
        "AddSftpBackupStorage": {"name": NAME, "hostname": cloud.machines[1].address, "username": "root",
                                 "url": "/zstack_bs3", "password": hidden.new("storage, by socket")},
        "AddImage": {"name": NAME, "url": f"http://me:{hidden.new('address, by socket')}@127.0.0.1:9/a",
                     "format": "qcow2", "backup_storage_uuids": [cloud.backup]},
        "LogInByAccount": {"account_name": NAME, "password": hidden.new("login, by socket")},
    }.items():  # fmt: skip
        with pytest.raises(ApiError) as refused:
            await call(name, timeout_seconds=60, **fields)
        assert not [each for each in hidden.known.values() if each in f"{refused.value.details}"]
    await call("LogOut", session_uuid=hidden.new("session, by socket"))


async def by_http(cloud: Stage, hidden: Secrets) -> str:
    """A session and a token that open things, and what is refused; the token."""
    async with wire_to(cloud) as wire:
        hidden.add("session, by HTTP", wire.session)
        await wire.post(LOGIN, accountName="admin", password=hash_password(hidden.new("login, by HTTP")))
        hidden.add("hash of it", hash_password(hidden.known["login, by HTTP"]))
        token = (await cloud.session.call("CreateAccessToken", name=NAME, session_role="admin"))["inventory"][
            "token"
        ]
        hidden.add("token", token)
        await by_rest(cloud, hidden, wire, token)
    return str(token)


async def by_rest(cloud: Stage, hidden: Secrets, wire: Wire, token: str) -> None:
    """By the token: words that are right, of wrong types, in wrong places."""
    base, head = f"{cloud.appliance.url}/api/v1", {"Authorization": f"Bearer {token}"}
    for body in (
        {"name": f"{NAME}-2", "password": hash_password(hidden.new("account, by REST"))},
        {"name": f"{NAME}-2", "password": {"a": [hidden.new("of a wrong type, by REST")]}},
        {"name": f"{NAME}-2", "pasword": hidden.new("of a wrong name, by REST")},
    ):
        async with wire.http.post(f"{base}/accounts", json=body, headers=head) as answer:
            assert not [each for each in hidden.known.values() if each in await answer.text()]
    broken = f'{{"password": "{hidden.new("in broken JSON, by REST")}"'
    async with wire.http.post(f"{base}/accounts", data=broken, headers=head) as answer:
        assert answer.status == 400
    wrong = {"Authorization": f"Bearer zst_{hidden.new('token that is none')}"}
    async with wire.http.get(f"{base}/zones", headers=wrong) as answer:
        assert answer.status == 401
    async with wire.http.get(
        f"{base}/zones?sessionUuid={hidden.new('in an address')}", headers=head
    ) as answer:
        assert answer.status < 500


@asynccontextmanager
async def pane(cloud: Stage, state: Path, name: str, *words: str) -> AsyncIterator[Pane]:
    environment = {**cloud.appliance.environment, "XDG_STATE_HOME": str(state), "TERM": "xterm-256color"}
    del environment["ZSTUI_ADMIN_PASSWORD"]
    async with Pane(state / f"{name}.tmux", cloud.appliance.command(*words), environment) as shown:
        yield shown


async def by_hand(cloud: Stage, hidden: Secrets, state: Path) -> None:
    """At the command line, the shell's prompt and the full screen."""
    for name, way in (("CreateAccount", "account, by call"), ("LogInByAccount", "login, by call")):
        field = "name" if name == "CreateAccount" else "accountName"
        done = await cloud.appliance.run("call", name, f"{field}={NAME}-3", f"password={hidden.new(way)}")
        assert hidden.known[way] not in done.stdout + done.stderr
    async with pane(cloud, state, "shell", "shell") as shown:
        await shown.sees(">>>")
        for line in (
            f"CreateAccount name={NAME}-4 password={hidden.new('account, by shell')}",
            f"CreateAccount name={NAME}-4 pasword={hidden.new('misspelt, by shell')}",
            f"CreateSystemTag resourceType=VmInstanceVO resourceUuid={'a' * 32} "
            f"tag=rootPassword::{hidden.new('tag, by shell')}",
            f"QueryZone name={NAME}",
        ):
            await shown.write(line)
            await shown.press("Enter")
            await asyncio.sleep(1)
        await shown.press("C-d")
    async with pane(cloud, state, "screen") as shown:
        await shown.sees("Hosts", seconds=60)
        await shown.press("C-p")
        await shown.write("add KVM host")
        await shown.press("Enter")
        await shown.sees("Add KVM host")
        secret = hidden.new("host, by screen")
        for typed in (NAME, "127.0.0.1", "", "root", secret):
            if typed:
                await shown.write(typed)
            else:
                await shown.press("Enter")
                await shown.sees("type to narrow")
                await shown.press("Enter")
                await shown.misses("type to narrow")
            await shown.press("Tab")
        assert secret not in await shown.text()
        await shown.press("C-s")
        await asyncio.sleep(2)
        assert secret not in await shown.text()
        await shown.press("Escape")


async def in_a_guest(cloud: Stage, hidden: Secrets, vm: VmFactory) -> dict[str, str]:
    """User data, a console's password and its token. What user data has may be where it is served from."""
    served = {way: f"Can4ry{dice.token_hex(8)}" for way in ("user data", "its key")}
    text = (
        f"#cloud-config\npassword: {served['user data']}\nwrite_files:\n- content: |\n"
        f"    -----BEGIN OPENSSH PRIVATE KEY-----\n    {served['its key']}\n    -----END OPENSSH PRIVATE KEY-----\n"
    )
    guest = await (await vm(NAME, host=2, user_data=text)).booted()
    said = await cloud.session.call("GetVmConsolePassword", uuid=guest.uuid)
    hidden.add("console's password", said["consolePassword"])
    said = await cloud.session.call("RequestConsoleAccess", vm_instance_uuid=guest.uuid, timeout_seconds=30)
    hidden.add("console's token", str(said["inventory"]["token"]))
    await cloud.session.call("MigrateVm", vm_instance_uuid=guest.uuid, host_uuid=await cloud.host_uuid(1),
                             timeout_seconds=120)  # fmt: skip
    await cloud.session.call("RebootVmInstance", uuid=guest.uuid, timeout_seconds=60)
    return served


async def told_by_http(cloud: Stage, token: str) -> bytes:
    """All that the appliance tells of itself."""
    head, told = {"Authorization": f"Bearer {token}"}, b""
    async with aiohttp.ClientSession(headers=head) as http:
        for path in ("/openapi.json", "/metrics", "/healthz", "/", "/api/v1/events", "/api/v1/long-jobs"):
            async with http.get(f"{cloud.appliance.url}{path}") as answer:
                told += await answer.read()
    for kind in ("Event", "LongJob", "AuditEntry", "AccessToken", "Session", "Account", "VmInstance", "Host"):
        told += json.dumps(await cloud.session.query(kind)).encode()
    return told


def private_keys(folder: Path) -> dict[str, Path]:
    """The middle of each private key of the appliance, by its file."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and b"PRIVATE KEY-----" in path.read_bytes()[:100]:
            found["".join(path.read_text().splitlines()[2:3])] = path
    return found


@pytest.mark.timeout(500)
async def test_no_secret_is_written_anywhere(cloud: Stage, vm: VmFactory, tmp_path: Path) -> None:
    hidden, state, folder = Secrets(), tmp_path / "state", cloud.appliance.folder
    state.mkdir()
    hidden.add("admin's password", PASSWORD)
    hidden.add("hosts' password", cloud.machines[0].password)
    processes = Processes(hidden.known, cloud.appliance.pid, given="admin's password")
    told: list[bytes] = []
    async with processes.watched():
        stream = asyncio.create_task(follow(cloud, told))
        await by_the_socket(cloud, hidden)
        token = await by_http(cloud, hidden)
        await by_hand(cloud, hidden, state)
        served = await in_a_guest(cloud, hidden, vm)
        stream.cancel()
        await asyncio.wait([stream])
        told.append(await told_by_http(cloud, token))
        backup = tmp_path / "backup.db"
        done = await cloud.appliance.run("backup", str(backup))
        assert done.returncode == 0, done.stderr
        # As it would after a fault in a library of C: what is left of it is looked at, too.
        os.kill(cloud.appliance.pid, signal.SIGABRT)
        await cloud.appliance.kill()
        await cloud.restart()
    everything = hidden.known | served
    for account in await cloud.session.query("Account", type="Normal"):
        await cloud.session.call("DeleteAccount", uuid=account["uuid"])
    keys = private_keys(folder)
    assert len(keys) >= 1
    machines = [machine.folder / "disk" for machine in cloud.machines]
    where = [
        folder,
        state,
        *(disk / each for disk in machines for each in ("var", "root", "tmp", "etc", "run")),
    ]
    where = [each for each in where if each.exists()]

    assert in_tables({"the name": NAME}, backup), "what is searched is there"
    assert in_tables(everything, backup, besides=[SERVED]) == []
    assert in_tables(hidden.known, backup) == []
    assert {each for each in served if f"{each} in {SERVED}" in in_tables(served, backup)} == {*served}
    looks = await asyncio.to_thread(in_files, {"the name": NAME}, where)
    assert any("history" in each for each in looks), looks
    assert any("e2e.log" in each for each in looks), looks
    # What an image is fetched with is in the store until it is there, and its log for a while.
    store = [*folder.glob("store.db*")]
    hits = await asyncio.to_thread(in_files, hidden.known, [*where, backup])
    assert [each for each in hits if each not in [f"address, by socket in {path}" for path in store]] == []
    for secret, own in keys.items():
        assert await asyncio.to_thread(in_files, {"key": secret}, [*where, backup], besides=[own]) == []
    may = [each for each in await asyncio.to_thread(in_files, served, where) if not serves(each, folder)]
    assert may == []
    shown = b"".join(told)
    assert NAME.encode() in shown
    assert [way for way, secret in hidden.known.items() if secret.encode() in shown] == []
    beside = b"".join(each for each in told if not shows_tag(each))
    assert [way for way, secret in served.items() if secret.encode() in beside] == []
    assert processes.told == set()
    assert {"qemu-system-x86_64", "dnsmasq"} & processes.names, processes.names
    for machine in cloud.machines:
        # libvirt notes a console's password in its own file of a VM that runs, which is root's alone.
        words = "".join(f"{each}\n" for way, each in hidden.known.items() if way != "console's password")
        look = ("grep", "-rlaF", "-D", "skip", "-f", "-", "/run", "/dev/shm")
        assert await cloud.run(machine, *look, stdin=words, check=False, seconds=60) == ""
        assert "core" not in {path.name.split(".")[0] for path in (machine.folder / "disk").glob("core*")}
    assert not [path for path in (*Path.cwd().glob("core*"), *folder.glob("core*")) if path.is_file()]


def serves(hit: str, folder: Path) -> bool:
    """Whether a file is one that what guests are served is kept in: the store, and an agent's own of its NICs."""
    path = Path(hit.partition(" in ")[2])
    return (path.parent == folder and path.name.startswith("store.db")) or (
        "zstui-agent/state/nics" in str(path) and path.parent.stat().st_mode & 0o077 == 0
    )


def shows_tag(pushed: bytes) -> bool:
    """Whether a line tells its account of a tag of its own, which is what `QuerySystemTag` shows, too."""
    data = pushed.removeprefix(b"data: ")
    return data != pushed and json.loads(data).get("resource") == "SystemTag"


async def follow(cloud: Stage, told: list[bytes]) -> None:
    """All that is pushed."""
    async with wire_to(cloud) as wire:
        url = f"{cloud.appliance.url}/events"
        endless = aiohttp.ClientTimeout(total=None)
        async with wire.http.get(url, headers=wire.authorization, timeout=endless) as stream:
            async for line in stream.content:
                told.append(line)  # noqa: PERF401 - it never ends by itself
