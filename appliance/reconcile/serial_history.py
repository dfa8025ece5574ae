"""What a guest wrote to its serial console, carried after it to the host that it has moved to."""

from __future__ import annotations

from agent.protocol import KeepSerialHistory, ReadSerialHistory, SerialHistory
from appliance.api.move import VmMove
from appliance.hosts.fleet import Target
from appliance.reconcile.asking import Asker
from appliance.reconcile.context import Context


async def carry_history(context: Context, asker: Asker, move: VmMove, source: Target, target: Target) -> None:
    """Have the new host show it before what the guest writes there. Raises what `Link.ask` raises."""
    uuid = move.vm_instance_uuid
    said = await context.fleet.link(source).ask(ReadSerialHistory(vm_uuid=uuid), SerialHistory)
    if said.data:
        kept = KeepSerialHistory(vm_uuid=uuid, data=said.data)
        await asker.settle_unanswered(target, kept)
        await asker.ask(target, kept, resource=move.uuid, generation=move.generation)
