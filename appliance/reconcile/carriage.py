"""One file on its way between a host and a backup storage: sent through a lane, proved equal, and only then named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agent.protocol import AdoptFiles, CloseLane, DropFile, FilesCopied
from appliance.api.host import HostKey
from appliance.api.job import LongJob
from appliance.api.storage import BackupStorage
from appliance.hosts.fleet import Target
from appliance.reconcile.asking import Asker
from appliance.reconcile.capacity import kept_free
from appliance.reconcile.context import Context, target_of
from appliance.reconcile.lane import Lane
from appliance.store.snapshot import Snapshot


@dataclass(frozen=True)
class Carriage:
    """A file's way. Whoever begins it again, also after a crash, goes on with what has arrived.

    No byte of it passes through the appliance. Its uuid is the lane's, and only its own: a resource that goes to
    several storages has one for each.
    """

    context: Context
    asker: Asker
    uuid: str
    source: Target
    storage: Target
    host_key: str
    """The storage's, as `key_of` has it."""
    generation: int
    """What both ends hear of. A file that is wanted no more has a higher one than while it came."""
    wanted: Callable[[Snapshot], bool]
    """Whether the file is still to come: it is sent no further when it is not."""
    reserve: str = "backupStorage"
    """Whose setting says what the file leaves free where it goes: that, or `primaryStorage`'s."""

    async def bring(
        self,
        path: str,
        place: str,
        jobs: Sequence[LongJob],
        *,
        title: str = "copy to backup storage",
    ) -> FilesCopied:
        """Have a file of the host at a place on the storage. Raises what `Link.ask` raises.

        It must not build on another file, nor change meanwhile. Of the jobs it is the part of its uuid.
        """
        reserved = await self.context.database.read(lambda snapshot: kept_free(snapshot, self.reserve))
        lane = replace(self._lane(), reserved_bytes=reserved)
        await lane.open([place])
        copied = await lane.copy([path], jobs, title=title, part=self.uuid)
        await lane.ask(self.storage, AdoptFiles(files={place: ""}))
        await lane.close()
        return copied

    async def withdraw(self, place: str) -> None:
        """End it for good, and take from the storage what has come. Raises what `Link.ask` raises."""
        lane = self._lane()
        await lane.close()
        await lane.ask(self.storage, DropFile(path=place))

    def _lane(self) -> Lane:
        return Lane(
            context=self.context,
            asker=self.asker,
            uuid=self.uuid,
            generation=self.generation,
            source=self.source,
            target=self.storage,
            host_key=self.host_key,
            wanted=self.wanted,
        )


def key_of(snapshot: Snapshot, storage: BackupStorage) -> str:
    """A backup storage's host key, as a line of known_hosts has it."""
    found = snapshot.find(HostKey, target_of(storage).key)
    return found.public_key if found is not None else ""


async def close_end(asker: Asker, end: Target, uuid: str, generation: int) -> None:
    """End one side of a carriage whose other side is gone. Raises what `Link.ask` raises."""
    request = CloseLane(lane_uuid=uuid, username=end.username)
    await asker.settle_unanswered(end, request)
    await asker.ask(end, request, resource=uuid, generation=generation)
