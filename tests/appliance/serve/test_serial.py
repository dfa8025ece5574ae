"""A VM's serial console through the appliance: who may see it, for how long, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from appliance.api.console import ConsoleEnd, ConsoleEnded, Gap
from appliance.api.errors import NotAllowed, OperationFailed
from appliance.api.ownership import AccountResourceRef
from appliance.client import Session
from appliance.client_console import ConsoleStream
from appliance.hosts.simulated_console import WELCOME
from appliance.serve import console
from appliance.serve.auth import Auth
from appliance.serve.dispatch import Dispatch
from appliance.serve.events import Broadcast
from appliance.serve.http import Server
from appliance.serve.listen import TcpListener
from appliance.store.transaction import Transaction
from tests.simulated_cloud import Cloud
from tests.tenants import Tenants

PATIENCE_SECONDS = 20.0


@pytest.fixture(autouse=True)
def handlers() -> None:
    """Every message's own handler, not the few of the other tests here."""


@pytest.fixture
async def server(cloud: Cloud, tenants: Tenants, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setattr(console, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(console, "LAST_SECONDS", 0.5)
    live = cloud.core.live
    dispatch = Dispatch(cloud.database, Auth(cloud.database), version="1", node_uuid="n" * 32, live=live)
    made = Server(dispatch, Broadcast(cloud.database), live=live)
    await made.start(TcpListener("127.0.0.1", 0))
    yield made
    await made.stop()


@pytest.fixture
async def session(cloud: Cloud, server: Server, tenants: Tenants) -> AsyncIterator[Session]:
    """Of the admin's, over HTTP."""
    made = await Session.connect("http://{}:{}".format(*server.addresses[0]))
    admin = await tenants.account("boss", type="SystemAdmin")
    made.session_uuid = admin.session_uuid
    yield made
    await made.close()


async def shown(stream: ConsoleStream, what: bytes) -> bytes:
    """What is shown, until something is."""
    seen = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for said in stream:
            assert isinstance(said, bytes)
            seen += said
            if what in seen:
                return seen
    raise AssertionError(seen)


async def ended(stream: ConsoleStream) -> ConsoleEnded:
    """How a stream ends."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(ConsoleEnded) as end:
            async for _ in stream:
                pass
    return end.value


async def belongs(cloud: Cloud, vm_uuid: str, account_uuid: str) -> None:
    """Let a VM be an account's."""

    def write(tx: Transaction) -> None:
        if (old := tx.find(AccountResourceRef, vm_uuid)) is not None:
            tx.delete(old)
        tx.insert(
            AccountResourceRef(
                account_uuid=account_uuid,
                owner_account_uuid=account_uuid,
                resource_uuid=vm_uuid,
                resource_type="VmInstanceVO",
            )
        )

    await cloud.database.write(write)


async def test_what_was_written_comes_first_and_what_is_typed_arrives(cloud: Cloud, session: Session) -> None:
    vm = await cloud.vm()
    async with await session.console(vm["uuid"], "serial") as one:
        assert await shown(one, WELCOME) == WELCOME
        await one.send(b"uname\r")
        assert await shown(one, b"uname\r") == b"uname\r"
        async with await session.console(vm["uuid"], "serial") as two:
            assert await shown(two, b"uname\r") == WELCOME + b"uname\r", "what one did, another sees"
            await two.send(b"id")
            assert await shown(one, b"id") == b"id"


async def test_who_is_slower_than_the_guest_is_told_what_was_left_out(cloud: Cloud, session: Session) -> None:
    vm = await cloud.vm()
    guest = cloud.host_of(vm["uuid"]).doors.line(vm["uuid"])
    async with await session.console(vm["uuid"], "serial") as stream:
        await shown(stream, WELCOME)
        for _ in range(40):
            guest.write(b"y\n" * 32_000)
        guest.write(b"end")
        seen, gaps = b"", 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for said in stream:
                if isinstance(said, Gap):
                    gaps += said.size
                elif isinstance(said, bytes):
                    seen += said
                if seen.endswith(b"end"):
                    break
        assert gaps > 0
        assert gaps + len(seen) == 40 * 64_000 + len(b"end")


async def test_it_ends_when_the_vm_is_off_or_its_host_away(cloud: Cloud, session: Session) -> None:
    vm = await cloud.vm()
    async with await session.console(vm["uuid"], "serial") as stream:
        await cloud.call("StopVmInstance", uuid=vm["uuid"])
        assert (await ended(stream)).end is ConsoleEnd.VM_OFF
    with pytest.raises(OperationFailed):
        await session.console(vm["uuid"], "serial")
    await cloud.call("StartVmInstance", uuid=vm["uuid"])
    async with await session.console(vm["uuid"], "serial") as stream:
        host = cloud.host_of(vm["uuid"])
        host.reachable = False
        host.cut("the cable was pulled")
        end = await ended(stream)
        assert end.end is ConsoleEnd.HOST_AWAY, end.reason


async def test_a_screen_ends_with_its_vm_too(cloud: Cloud, session: Session) -> None:
    vm = await cloud.vm()
    async with await session.console(vm["uuid"], "vnc") as stream:
        await cloud.call("StopVmInstance", uuid=vm["uuid"])
        assert (await ended(stream)).end is ConsoleEnd.VM_OFF


async def test_it_ends_when_the_appliance_stops(cloud: Cloud, session: Session, server: Server) -> None:
    vm = await cloud.vm()
    async with await session.console(vm["uuid"], "serial") as stream:
        stopping = asyncio.create_task(server.stop())
        assert (await ended(stream)).end is ConsoleEnd.STOPPING
        await stopping


async def test_it_ends_with_its_session(cloud: Cloud, session: Session, tenants: Tenants) -> None:
    vm = await cloud.vm()
    async with await session.console(vm["uuid"], "serial") as stream:
        await session.log_out()
        end = await ended(stream)
        assert (end.end, "ession" in end.reason) == (ConsoleEnd.NOT_ALLOWED, True)


async def test_only_who_owns_a_vm_sees_its_consoles(cloud: Cloud, session: Session, tenants: Tenants) -> None:
    vm = await cloud.vm()
    tenant = await tenants.account("tenant")
    session.session_uuid = tenant.session_uuid
    for kind in ("serial", "vnc"):
        with pytest.raises(NotAllowed):
            await session.console(vm["uuid"], kind)
    await belongs(cloud, vm["uuid"], tenant.account_uuid)
    async with await session.console(vm["uuid"], "serial") as stream:
        await shown(stream, WELCOME)
        other = await tenants.account("other")
        await belongs(cloud, vm["uuid"], other.account_uuid)
        assert (await ended(stream)).end is ConsoleEnd.NOT_ALLOWED


async def test_who_only_reads_opens_none(cloud: Cloud, session: Session) -> None:
    session.read_only = True
    with pytest.raises(NotAllowed, match="only reads"), suppress(ConsoleEnded):
        await session.console((await cloud.vm())["uuid"], "serial")


async def test_who_leaves_reads_no_more(cloud: Cloud, session: Session) -> None:
    stream = await session.console((await cloud.vm())["uuid"], "serial")
    reading = asyncio.create_task(shown(stream, b"never"))
    await asyncio.sleep(0.1)
    await stream.close()
    with pytest.raises(AssertionError):
        await reading
