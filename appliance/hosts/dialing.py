"""Which way a machine is reached: real ones over SSH, simulated ones in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable

from appliance.api.errors import ImageFailed
from appliance.api.simulator import HYPERVISOR
from appliance.hosts.fleet import Admit, Dialer, Target
from appliance.hosts.link import Pipe, Wire
from appliance.hosts.simulated_dialer import SimulatedDialer


class EitherDialer:
    """The appliance's own dialer: the target's hypervisor decides."""

    def __init__(self, real: Dialer, simulated: SimulatedDialer) -> None:
        self._real = real
        self._simulated = simulated

    async def trust(self, target: Target, password: str, fingerprint: str | None, admit: Admit) -> None:
        """Pin the machine's host key and install the appliance's own."""
        await self._of(target).trust(target, password, fingerprint, admit)

    async def renews(self, target: Target) -> bool:
        """Whether the agent there is another version's."""
        return await self._of(target).renews(target)

    async def dial(self, target: Target, *, renew: bool = True) -> Wire:
        """Start the agent there, or attach to the simulated one."""
        return await self._of(target).dial(target, renew=renew)

    async def pipe(self, target: Target, address: str, port: int) -> Pipe:
        """A stream to what listens on an address of the machine."""
        return await self._of(target).pipe(target, address, port)

    async def leave(self, target: Target, host_uuid: str) -> None:
        """Take agent and key from the machine; a simulated one is gone with that."""
        await self._of(target).leave(target, host_uuid)
        if target.hypervisor == HYPERVISOR:
            self._simulated.hosts.pop(target.key, None)

    async def copy(
        self,
        source: Target,
        source_path: str,
        destination: Target,
        destination_path: str,
        *,
        size: int,
        md5: str,
        bytes_per_second: int,
        reserved_bytes: int,
        on_progress: Callable[[int, int], None],
    ) -> None:
        """Copy a file from machine to machine; `ImageFailed` when only one of them is simulated."""
        if source.hypervisor != destination.hypervisor and HYPERVISOR in (
            source.hypervisor,
            destination.hypervisor,
        ):
            raise ImageFailed(
                f"nothing can be copied from {source.address} ({source.hypervisor}) to "
                f"{destination.address} ({destination.hypervisor})"
            )
        await self._of(source).copy(
            source,
            source_path,
            destination,
            destination_path,
            size=size,
            md5=md5,
            bytes_per_second=bytes_per_second,
            reserved_bytes=reserved_bytes,
            on_progress=on_progress,
        )

    async def arrived(self, destination: Target, path: str) -> int:
        """How many bytes of a file that is uploaded are on a machine."""
        return await self._of(destination).arrived(destination, path)

    async def upload(
        self,
        destination: Target,
        path: str,
        content: AsyncIterator[bytes],
        size: int,
        start: int,
        *,
        reserved_bytes: int,
    ) -> None:
        """Write the rest of a file on a machine from a stream."""
        await self._of(destination).upload(
            destination, path, content, size, start, reserved_bytes=reserved_bytes
        )

    def download(self, source: Target, path: str, start: int) -> AsyncGenerator[bytes, None]:
        """The bytes of a file on a machine, from one on."""
        return self._of(source).download(source, path, start)

    def _of(self, target: Target) -> Dialer:
        return self._simulated if target.hypervisor == HYPERVISOR else self._real
