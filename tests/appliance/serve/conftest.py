"""An appliance's face on a real store, with a few handlers, on a socket and on loopback."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from appliance.api.errors import OperationFailed
from appliance.api.image import AddImage, Image
from appliance.api.job import LongJob
from appliance.api.message import Message
from appliance.api.parse import unparse
from appliance.api.setting import GetGlobalConfig
from appliance.api.zone import ChangeZoneState, CreateZone, DeleteZone, UpdateZone, Zone
from appliance.client import Session
from appliance.hosts.fleet import Target
from appliance.reconcile.image_transfer import Stored
from appliance.resources import registry
from appliance.resources.registry import Caller, Promise
from appliance.serve import auth
from appliance.serve.auth import Auth, ensure_admin
from appliance.serve.dispatch import Dispatch
from appliance.serve.events import Broadcast
from appliance.serve.http import Server
from appliance.serve.listen import TcpListener, UnixListener
from appliance.store.database import Database
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction
from tests import empty_store

PASSWORD = "correct horse"
CHEAP_NOBODY = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("nobody's")


def create_zone(tx: Transaction, message: CreateZone, _: Caller) -> Zone:
    if message.name == "refuse":
        tx.insert(Zone(uuid=tx.new_uuid(), name="half"))
        raise OperationFailed("zone[refuse] is not wanted")
    if message.name == "crash":
        raise RuntimeError("secret of the inside")
    uuid = message.resource_uuid or tx.new_uuid()
    return tx.insert(Zone(uuid=uuid, name=message.name, description=message.description, create_date=tx.now))


def update_zone(tx: Transaction, message: UpdateZone, _: Caller) -> Zone:
    zone = tx.find(Zone, message.uuid)
    assert zone is not None
    return tx.update(zone, name=message.name or zone.name)


def delete_zone(tx: Transaction, message: DeleteZone, _: Caller) -> None:
    zone = tx.find(Zone, message.uuid)
    if zone is not None:
        tx.delete(zone)


def change_zone(tx: Transaction, message: ChangeZoneState, caller: Caller) -> Promise:
    return Promise(tx.insert(job_row(tx, caller, message, message.uuid)))


def add_image(tx: Transaction, message: AddImage, caller: Caller) -> Promise:
    uuid = message.resource_uuid or tx.new_uuid()
    tx.insert(Image(uuid=uuid, name=message.name, url=message.url, format=message.format))
    return Promise(tx.insert(job_row(tx, caller, message, uuid)))


def get_config(snapshot: Snapshot, message: GetGlobalConfig, _: Caller) -> dict[str, Any]:
    return {"value": snapshot.setting(message.category, message.name), "nothing": None}


def job_row(tx: Transaction, caller: Caller, message: Message, target: str) -> LongJob:
    return LongJob(
        uuid=caller.call_id or tx.new_uuid(),
        name=type(message).__name__,
        target_resource_uuid=target,
        job_data=json.dumps(unparse(message, secrets=False)),
        account_uuid=caller.account_uuid,
        create_date=tx.now,
        last_op_date=tx.now,
    )


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few messages answered by small functions, and no others."""
    few = {CreateZone: create_zone, UpdateZone: update_zone, DeleteZone: delete_zone,
           ChangeZoneState: change_zone, AddImage: add_image}  # fmt: skip
    for table, wanted in ((registry.HANDLERS, few), (registry.READERS, {GetGlobalConfig: get_config}),
                          (registry.LIVE_HANDLERS, {})):  # fmt: skip
        for message in list(table):
            monkeypatch.delitem(table, message)
        for message, function in wanted.items():
            monkeypatch.setitem(table, message, function)


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes passwords dear to guess would make most of these tests' time."""
    cheap = functools.partial(PasswordHasher, time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(auth, "PasswordHasher", cheap)
    monkeypatch.setattr(auth, "NOBODY", CHEAP_NOBODY)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    empty_store.lay(tmp_path / "data")
    store = await Database.open(tmp_path / "data", inline=True)
    yield store
    await store.close()


@dataclass
class Face:
    """A running server, what was uploaded to it, and what is to happen then."""

    server: Server
    dispatch: Dispatch
    database: Database
    socket: Path
    uploads: dict[str, bytes] = field(default_factory=dict)
    on_upload: Callable[[], Awaitable[Any]] | None = None
    breaks_after: int | None = None
    """The next upload or download is given up after so many bytes."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.addresses[0][1]}"

    async def end_job(self, job_uuid: str, state: str, result: str | None) -> None:
        def end(tx: Transaction) -> None:
            job = tx.find(LongJob, job_uuid)
            assert job is not None
            tx.update(job, state=state, job_result=result, last_op_date=tx.now)

        await self.database.write(end)


class Taken:
    """What was uploaded, and what can be downloaded: kept in memory."""

    face: Face

    async def arrived(self, image_uuid: str) -> int:
        return len(self.face.uploads.get(image_uuid, b""))

    async def take(
        self, image_uuid: str, content: AsyncIterator[bytes], length: int | None, start: int
    ) -> None:
        got = self.face.uploads.get(image_uuid, b"")[:start]
        async for chunk in content:
            got += chunk
            self.face.uploads[image_uuid] = got
            if self.face.breaks_after is not None and len(got) >= self.face.breaks_after:
                self.face.breaks_after = None
                raise asyncio.CancelledError  # upon which the server hangs up
        self.face.uploads[image_uuid] = got
        if length is not None and start + length != len(got):
            raise OperationFailed("cut short")
        if self.face.on_upload is not None:
            await self.face.on_upload()

    async def stored(self, image_uuid: str, backup_storage_uuid: str | None) -> Stored:
        content = self.face.uploads[image_uuid]
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        image = Image(
            uuid=image_uuid, name="i", url="upload://i", format="qcow2", length=len(content), md5_sum=md5
        )
        return Stored(image, Target("here"), "/i", "ref")

    async def give(
        self, image_uuid: str, backup_storage_uuid: str | None, start: int
    ) -> AsyncGenerator[bytes, None]:
        async def content() -> AsyncGenerator[bytes, None]:
            whole = self.face.uploads[image_uuid]
            for at in range(start, len(whole), 1 << 20):
                if self.face.breaks_after is not None and at >= self.face.breaks_after:
                    self.face.breaks_after = None
                    raise OperationFailed("the storage is gone")
                yield whole[at : at + (1 << 20)]

        return content()


@asynccontextmanager
async def serving(
    database: Database, socket: Path, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Face]:
    """A server on a store, listening on a socket and on loopback."""
    dispatch = Dispatch(database, Auth(database), version="0.1.0", node_uuid="n" * 32)
    broadcast = Broadcast(database)

    transfers = Taken()
    server = Server(dispatch, broadcast, transfers=transfers, names=["cloud.example"])
    running_face = transfers.face = Face(server, dispatch, database, socket)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(broadcast.run())
        await server.start(UnixListener(socket), TcpListener("127.0.0.1", port, tls))
        try:
            yield running_face
        finally:
            await server.stop()
            running.cancel()


@pytest.fixture
async def face(database: Database, tmp_path: Path) -> AsyncIterator[Face]:
    await ensure_admin(database, PASSWORD)
    async with serving(database, tmp_path / "appliance.sock") as running:
        yield running


@pytest.fixture
async def local(face: Face) -> AsyncIterator[Session]:
    """A session over the socket."""
    async with await Session.connect(face.socket) as session:
        yield session


@pytest.fixture
async def remote(face: Face) -> AsyncIterator[Session]:
    """A session over TCP, not logged in."""
    async with await Session.connect(face.url) as session:
        yield session
