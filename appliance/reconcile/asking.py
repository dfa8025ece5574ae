"""Asking a host in steps whose answer may be lost: repeat the same operation, or fence it off first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from agent.protocol import AnyRequest, ConfirmBridge, Done, EnsureBridge, Refusal, Struct
from appliance.api.errors import ApiError, HostUnreachable
from appliance.hosts.fleet import Fleet, Target
from appliance.hosts.link import LinkLost, Refused
from appliance.reconcile.loop import Backoff, Next
from appliance.store.database import Database
from appliance.store.errors import StoreCannotWrite
from appliance.store.snapshot import Snapshot

RETURN_SECONDS = 30.0
"""A host that gave its address back is reached again within so long."""
RETRY_SECONDS = 0.5
LOOK_SECONDS = 0.25
PATIENCE = 6
"""How often a machine that says "not now" is asked again before that counts as a failure."""


class Tries:
    """The tries of one worker: pauses that grow, and patience with who says "not now"."""

    def __init__(self) -> None:
        self._backoff = Backoff()
        self._refusals = 0

    def reset(self) -> None:
        """Something worked: start over."""
        self._backoff.reset()
        self._refusals = 0

    def pause(self) -> Next:
        """Try again, later each time."""
        return self._backoff.next()

    def after(self, who: str, error: ApiError) -> Next:
        """As `pause`, saying what failed: `Backoff.after`."""
        return self._backoff.after(who, error)

    async def attempt(
        self,
        advancing: Awaitable[Next],
        *,
        failed: Callable[[ApiError], Awaitable[Next]],
        away: Callable[[HostUnreachable], Awaitable[Next]] | None = None,
    ) -> Next:
        """One pass of a worker, and what follows where that fails.

        Who refuses for now is asked again a few times. A machine that cannot be asked is put to `away`, where that
        is something else than to have `failed`.
        """
        try:
            return await advancing
        except HostUnreachable as unreachable:
            return await (away or failed)(unreachable)
        except StoreCannotWrite:
            raise
        except ApiError as error:
            if isinstance(error, Refused) and error.refusal.transient and self._refusals < PATIENCE:
                self._refusals += 1
                return self._backoff.next()
            return await failed(error)


_Details = tuple[str, int, float, Callable[[int, int], None] | None]
"""Of a request: resource, generation, seconds, and who hears of its progress."""


class Asker:
    """Sends one resource's changes to a machine, one at a time, remembering the one without an answer.

    A request without an answer may still be carried out. Before anything else is asked for the same
    resource, either that very operation is repeated (and answered from the host's memory when it was
    done), or the epoch is raised, after which the host refuses it for good.
    """

    def __init__(self, fleet: Fleet, new_id: Callable[[], str]) -> None:
        self._fleet = fleet
        self._new_id = new_id
        self._unanswered: tuple[str, AnyRequest, str] | None = None

    async def settle_unanswered(self, target: Target, following: AnyRequest | None) -> bool:
        """Make sure no lost request can still act, unless it is the one asked next. True if it had to."""
        if self._unanswered is None:
            return False
        machine, request, _ = self._unanswered
        if machine == target.key and request == following:
            return False
        await self._fleet.raise_epoch(target)
        self._unanswered = None
        return True

    async def ask(
        self,
        target: Target,
        request: AnyRequest,
        *,
        resource: str,
        generation: int,
        timeout_seconds: float = 60.0,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Struct:
        """Ask for a change and return the reply; raises what `Link.ask` raises.

        A bridge may take over the address that the link itself runs on. The host is told that it is still
        reached, on a new link if the old one broke; untold, it turns back, and `Refused` says so. So it does of a
        host that is lost meanwhile and not reached again: whatever it has by then was never confirmed.
        """
        details = (resource, generation, timeout_seconds, on_progress)
        if isinstance(request, EnsureBridge):
            return await self._ask_bridge(target, request, details)
        return await self._ask(target, request, details)

    async def _ask_bridge(self, target: Target, request: EnsureBridge, details: _Details) -> Struct:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + request.confirm_seconds + RETURN_SECONDS
        reply: Struct | None = None
        begun = False
        while True:
            try:
                if begun:
                    await self._fleet.connect(target)
                if reply is None:
                    reply = await self._ask(target, request, details)
                await self._fleet.link(target).ask(ConfirmBridge(bridge=request.bridge), Done)
                return reply
            except Refused as refused:
                raise _turned_back(target, request) if _undone(refused) else refused from refused
            except HostUnreachable as lost:
                begun = begun or isinstance(lost, LinkLost)
                if not begun:
                    raise
                if loop.time() > deadline:
                    raise _cut_off(target, request) from lost
            await asyncio.sleep(RETRY_SECONDS)

    async def _ask(self, target: Target, request: AnyRequest, details: _Details) -> Struct:
        resource, generation, timeout_seconds, on_progress = details
        op = self._new_id()
        if self._unanswered is not None and self._unanswered[:2] == (target.key, request):
            op = self._unanswered[2]
        self._unanswered = None
        link = self._fleet.link(target)
        try:
            return await link.ask(
                request,
                type(request).reply,
                resource=resource,
                generation=generation,
                op=op,
                timeout_seconds=timeout_seconds,
                on_progress=on_progress,
            )
        except LinkLost:
            self._unanswered = (target.key, request, op)
            raise


@contextlib.asynccontextmanager
async def ended_when_unwanted(
    database: Database, wanted: Callable[[Snapshot], bool], end: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    """Look again and again, while the body waits for a long answer, whether it is wanted; once not, end it."""
    ending = asyncio.create_task(_end_if_unwanted(database, wanted, end))
    try:
        yield
    finally:
        ending.cancel()
        await asyncio.wait({ending})


async def _end_if_unwanted(
    database: Database, wanted: Callable[[Snapshot], bool], end: Callable[[], Awaitable[None]]
) -> None:
    is_wanted = True
    while is_wanted:
        await asyncio.sleep(LOOK_SECONDS)
        is_wanted = await database.read(wanted)
    # Who cannot be asked ends it by itself, or when asked again.
    with contextlib.suppress(ApiError):
        await end()


def _undone(refused: Refused) -> bool:
    """Whether a host that was asked to keep a bridge has none any more."""
    return refused.refusal.code == "bridge.unknown"


def _turned_back(target: Target, request: EnsureBridge) -> Refused:
    seconds = request.confirm_seconds
    return Refused(
        Refusal(
            code="bridge.unreachable",
            message=f"{target.address} could not be reached for {seconds:g} s when bridge {request.bridge} had "
            f"taken the addresses of {request.physical_interface} over, and has given them back; let its switch "
            f"pass what the bridge sends, or use another interface",
        )
    )


def _cut_off(target: Target, request: EnsureBridge) -> Refused:
    seconds = request.confirm_seconds + RETURN_SECONDS
    return Refused(
        Refusal(
            code="bridge.unreachable",
            message=f"{target.address} was lost while it made bridge {request.bridge} over "
            f"{request.physical_interface}, and could not be reached for {seconds:g} s since; where the bridge took "
            f"addresses over, the host gives them back by itself; see that it runs and is reached, then try again",
        )
    )
