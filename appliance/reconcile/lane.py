"""The way between the two hosts of a move: opened for it, used for as long as the move is wanted, and closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.protocol import (
    AnyRequest,
    CloseLane,
    CopyFiles,
    DomainSpec,
    FilesCopied,
    LaneOffer,
    LimitLane,
    MigrateDomain,
    OfferLane,
    OpenLane,
    Struct,
)
from appliance.api.errors import ApiError, OperationFailed
from appliance.api.job import LongJob
from appliance.hosts.fleet import Target
from appliance.plans.move import FILES
from appliance.reconcile.asking import Asker, ended_when_unwanted
from appliance.reconcile.context import Context
from appliance.reconcile.meter import Grows, Meter
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction

MOVE_SECONDS = 7 * 86400.0
"""What is moved takes as long as it takes; it is given up when nothing arrives."""
LIMIT_LOOK_SECONDS = 1.0

R = TypeVar("R", bound=Struct)


@dataclass(frozen=True)
class Lane:
    """A move's lane. Its uuid is the move's, and so is the generation that hosts hear of."""

    context: Context
    asker: Asker
    uuid: str
    generation: int
    source: Target
    target: Target
    host_key: str
    """The target's, as a line of known_hosts has it."""
    wanted: Callable[[Snapshot], bool]
    """Whether the move is still to be made."""
    limit: Callable[[Snapshot], int] = lambda _: 0
    """Bytes a second that may go now, of each file or volume; 0 for no limit."""
    reserved_bytes: int = 0
    """What comes leaves so much of the target's storage free; 0 lets it fill that."""

    async def open(
        self,
        files: Sequence[str],
        doors: Mapping[str, str] | None = None,
        coming: DomainSpec | None = None,
    ) -> list[int]:
        """Let the source use these files and doors of the target; doors without a place lead to ports.

        Returns those, free on the source, in the order of the doors. Raises what `Link.ask` raises.
        """
        named = doors or {}
        nameless = [word for word, place in named.items() if not place]
        offer = await self.ask(
            self.source,
            OfferLane(
                lane_uuid=self.uuid,
                address=self.target.address,
                port=self.target.port,
                ports=len(nameless),
            ),
        )
        if not isinstance(offer, LaneOffer) or len(offer.ports) != len(nameless):
            raise OperationFailed(f"host {self.source.address} did not offer a lane")
        places = dict(named) | dict(zip(nameless, map(str, offer.ports), strict=True))
        await self.ask(
            self.target,
            OpenLane(
                lane_uuid=self.uuid,
                public_key=offer.public_key,
                source_address=offer.source_address,
                username=self.target.username,
                files=list(files),
                doors=places,
                coming=coming,
                reserved_bytes=self.reserved_bytes,
            ),
        )
        return offer.ports

    async def copy(
        self,
        files: Sequence[str],
        jobs: Sequence[LongJob],
        arrived: Callable[[int], None] = lambda _: None,
        title: str = "copy to new host",
        part: str = FILES,
    ) -> FilesCopied:
        """Copy files of the source to beside the places that the lane was opened for, in their order.

        Raises what `Link.ask` raises.
        """
        request = CopyFiles(
            lane_uuid=self.uuid,
            address=self.target.address,
            port=self.target.port,
            username=self.target.username,
            host_key=self.host_key,
            files=list(files),
            bytes_per_second=await self.context.database.read(self.limit),
        )
        copied = await self.carry(request, FilesCopied, jobs, title, part, arrived)
        if copied.anew:
            await self.context.database.write(lambda tx: self._note_anew(tx, copied.anew, jobs))
        return copied

    def _note_anew(self, tx: Transaction, files: Sequence[str], jobs: Sequence[LongJob]) -> None:
        """Say what was wrong with what is right now: disks that change bytes do so again."""
        text = (
            f"host {self.target.address} had other content than host {self.source.address} in {', '.join(files)}, "
            f"which was copied once more and is equal now; check the disk there"
        )
        tx.note("CopiedOnceMore", text, level="warning", about=next(iter(jobs), None))

    async def carry(
        self,
        request: CopyFiles | MigrateDomain,
        reply: type[R],
        jobs: Sequence[LongJob],
        title: str,
        part: str,
        arrived: Callable[[int], None] = lambda _: None,
        grows: Grows | None = None,
    ) -> R:
        """Have the source send something, and say how far it is; ended when the move is wanted no more.

        A limit that changes meanwhile is kept from then on. `part` and `grows` are the meter's.
        """
        meter = Meter(self.context.database, jobs, title, part, grows=grows)

        def tell(done: int, total: int) -> None:
            arrived(done)
            meter(done, total)

        link = self.context.fleet.link(self.source)
        ended = ended_when_unwanted(self.context.database, self.wanted, self._end)
        async with ended, self._limited(request.bytes_per_second), meter.running():
            return await link.ask(
                request, reply, timeout_seconds=MOVE_SECONDS, on_progress=tell, on_guest=meter.guest,
                on_anew=meter.anew,
            )  # fmt: skip

    async def close(self) -> None:
        """Take the key from both ends, and end what still uses it. Raises what `Link.ask` raises."""
        for end in (self.source, self.target):
            await self.ask(end, CloseLane(lane_uuid=self.uuid, username=end.username))

    async def ask(self, target: Target, request: AnyRequest) -> Struct:
        """Ask an end for a change; raises what `Link.ask` raises."""
        await self.asker.settle_unanswered(target, request)
        return await self.asker.ask(target, request, resource=self.uuid, generation=self.generation)

    @contextlib.asynccontextmanager
    async def _limited(self, told: int) -> AsyncIterator[None]:
        """Tell the source of each change of the limit while the body runs."""
        telling = asyncio.create_task(self._tell_limits(told), name=f"limit of lane {self.uuid}")
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.wait({telling})

    async def _tell_limits(self, told: int) -> None:
        link = self.context.fleet.link(self.source)
        while True:
            await asyncio.sleep(LIMIT_LOOK_SECONDS)
            limit = await self.context.database.read(self.limit)
            if limit != told:
                # Who does not hear of it now is told at the next look.
                with contextlib.suppress(ApiError):
                    await link.ask(LimitLane(lane_uuid=self.uuid, bytes_per_second=limit), LimitLane.reply)
                    told = limit

    async def _end(self) -> None:
        """The source ends what it sends when its end of the lane is closed."""
        request = CloseLane(lane_uuid=self.uuid, username=self.source.username)
        await self.context.fleet.link(self.source).ask(request, CloseLane.reply, resource=self.uuid,
                                                       generation=self.generation + 1)  # fmt: skip
