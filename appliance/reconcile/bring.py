"""A file from one machine to another, with its MD5 proved: the same machine copies it by itself."""

from __future__ import annotations

from collections.abc import Sequence

from agent.protocol import FetchImage, ImageFacts
from appliance.api.job import LongJob
from appliance.hosts.fleet import Target
from appliance.reconcile.context import Context
from appliance.reconcile.meter import Meter

CARRY_SECONDS = 6 * 3600.0


async def bring_file(
    context: Context,
    source: Target,
    source_path: str,
    destination: Target,
    path: str,
    *,
    size: int,
    md5: str,
    jobs: Sequence[LongJob],
    title: str,
) -> None:
    """Bring a qcow2 file that builds on nothing. Raises what links raise, and `ImageFailed`."""
    meter = Meter(context.database, jobs, title)
    async with meter.running():
        if source.key == destination.key:
            request = FetchImage(
                image_uuid=context.database.new_uuid(), url=f"file://{source_path}", path=path, format="qcow2"
            )
            link = context.fleet.link(destination)
            await link.ask(request, ImageFacts, timeout_seconds=CARRY_SECONDS, on_progress=meter)
            return
        await context.fleet.dialer.copy(
            source, source_path, destination, path, size=size, md5=md5, on_progress=meter
        )
