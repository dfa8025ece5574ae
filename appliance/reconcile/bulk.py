"""How much a volume is, before anything of it moves: asked of its host, which alone knows what is written."""

from __future__ import annotations

from agent.protocol import ObserveVm, VmSeen
from appliance.api.volume import Volume
from appliance.hosts.fleet import Target
from appliance.reconcile.context import Context
from appliance.reconcile.volume_rows import volume_intent
from appliance.store.snapshot import Snapshot


async def bulk(context: Context, host: Target, volume_uuid: str) -> int:
    """Bytes that a volume's files and the images below them take on their host's disk; 0 for one that is gone.

    What is made of it takes about as much. Raises what `Link.ask` raises.
    """

    def paths(snapshot: Snapshot) -> list[str]:
        volume = snapshot.find(Volume, volume_uuid)
        intent = volume_intent(snapshot, volume) if volume is not None else None
        return [*intent.files, *intent.bases] if intent is not None else []

    request = ObserveVm(vm_uuid=volume_uuid, volume_paths=await context.database.read(paths))
    seen = await context.fleet.link(host).ask(request, VmSeen)
    return sum(seen.taken.values())
