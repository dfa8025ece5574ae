"""One life of the appliance: the real store, core and dispatch, from its start to its `kill -9`."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Coroutine
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar, cast

from appliance.api.account import ADMIN_UUID, Account
from appliance.api.message import MESSAGES
from appliance.core import Core
from appliance.hosts.fleet import Dialer
from appliance.reconcile.jobs import Jobs
from appliance.serve.auth import Auth
from appliance.serve.dispatch import Dispatch, Origin
from appliance.serve.zstack import Call, Reply
from appliance.store.database import Database
from appliance.store.transaction import Transaction
from tests.simulation.network import WorldDialer

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")

LIFE: contextvars.ContextVar[Life | None] = contextvars.ContextVar("LIFE", default=None)
"""Whose task this is: tasks inherit it, so that a kill finds every one of them."""


class Killed(Exception):
    """The appliance died before it answered."""


class Life:
    """An appliance that runs until it is killed. Nothing of it acts afterwards, but what it sent is sent."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.dead = False
        self.ready = False
        self._opened = False
        self.tasks: list[asyncio.Task[Any]] = []
        self._uuids = Random(f"{world.seed} {number}")
        self._context = contextvars.copy_context()
        self._context.run(LIFE.set, self)
        self.dialer = WorldDialer(world, self)
        self.database: Database
        self.core: Core
        self.dispatch: Dispatch

    def new_uuid(self) -> str:
        """A random uuid, the same in each run of the seed."""
        return f"{self._uuids.getrandbits(128):032x}"

    def spawn(self, coro: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something as part of this life: it dies with it."""
        return asyncio.create_task(coro, context=self._context)

    async def start(self) -> None:
        """Open the store and run the core, unless killed meanwhile."""
        opening = self.spawn(self._open())
        await asyncio.wait([opening])
        if self.dead:
            return
        opening.result()
        self.spawn(self._run())
        self.ready = True

    async def _open(self) -> None:
        self.database = await Database.open(
            self.world.folder, now=self.world.loop.wall, new_uuid=self.new_uuid, inline=True
        )
        self._opened = True
        await self.database.write(_admin)
        self.core = Core(self.database, cast(Dialer, self.dialer))
        _leave_out(self)
        self.dispatch = Dispatch(
            self.database, _doors(), version="1", node_uuid=self.database.owner, live=self.core.live
        )

    async def _run(self) -> None:
        try:
            await self.core.run()
        except Exception as failed:  # noqa: BLE001 - a core that ends is what is looked for
            if not self.dead:
                self.world.violated("core-lives", f"the core ended: {failed!r}")

    async def kill(self) -> None:
        """`kill -9`: what is committed stays, what is sent stays sent, everything else is gone."""
        self.dead = True
        for wire in self.dialer.wires:
            wire.cut()
        if self._opened:
            self._opened = False
            await self.database.crash()
        while left := [task for task in self.tasks if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=1)
        for task in self.tasks:
            if not task.cancelled():
                task.exception()

    async def ask(self, name: str, fields: dict[str, Any], call_id: str) -> Reply:
        """Make a call. Raises `Killed` when no answer will come."""
        kind = MESSAGES[name]
        call = Call(java=kind.java, kind=kind, fields=fields, session_uuid=None, id=call_id)
        return await self._answered(self.dispatch.answer(call, Origin("simulation", trusted=True)))

    async def outcome(self, job_uuid: str, seconds: float) -> Reply | None:
        """What came of a job, waiting so long; None when it has not ended by then, or is not known."""
        return await self._answered(self._outcome(job_uuid, seconds))

    async def _outcome(self, job_uuid: str, seconds: float) -> Reply | None:
        try:
            await Jobs(self.database).wait(job_uuid, seconds)
        except TimeoutError:
            return None
        return await self.dispatch.job(job_uuid)

    async def _answered(self, coro: Coroutine[Any, Any, T]) -> T:
        if self.dead:
            coro.close()
            raise Killed
        task = self.spawn(coro)
        await asyncio.wait([task])
        if self.dead or task.cancelled():
            raise Killed
        return task.result()


def claim(task: asyncio.Task[Any], context: contextvars.Context) -> None:
    """Give a new task to the life that started it."""
    life = context.get(LIFE)
    if life is not None:
        life.tasks.append(task)
        if len(life.tasks) > 5000:
            life.tasks = [each for each in life.tasks if not each.done()]


def _admin(tx: Transaction) -> None:
    """The account of trusted callers, without the time that a password's hash takes."""
    if tx.find(Account, ADMIN_UUID) is None:
        tx.insert(Account(uuid=ADMIN_UUID, name="admin", type="SystemAdmin", role="admin", password_hash="-"))


@cache
def _doors() -> Auth:
    """Trusted callers pass; the rest of the doors is not part of the simulation, and slow to make."""
    return Auth(cast(Database, None))


def _leave_out(life: Life) -> None:
    """What the run's options take away from the appliance."""
    options, database, fleet = life.world.options, life.database, life.core.fleet
    if not options.raise_epoch_at_start and life.number > 1:
        raise_it = database.raise_epoch

        async def keep() -> int:
            setattr(database, "raise_epoch", raise_it)  # noqa: B010 - only the first one is left out
            return await database.epoch()

        setattr(database, "raise_epoch", keep)  # noqa: B010
    if not options.raise_epoch_before_undo:

        async def nothing(target: object) -> None:
            """No fence."""

        setattr(fleet, "raise_epoch", nothing)  # noqa: B010


class Complaints(logging.Handler):
    """Turns what living appliances log as exceptions into violations."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.ERROR)
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        life = LIFE.get()
        if record.exc_info and life is not None and not life.dead:
            self._world.violated("no-faults", f"{record.getMessage()}: {record.exc_info[1]!r}")
