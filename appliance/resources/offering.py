"""What requests about offerings mean."""

from __future__ import annotations

from appliance.api.offering import CreateInstanceOffering, DeleteInstanceOffering, InstanceOffering
from appliance.resources.creating import add, uuid_for
from appliance.resources.registry import Caller, handles
from appliance.resources.tags_of import drop_tags
from appliance.store.transaction import Transaction


@handles(CreateInstanceOffering)
def create_instance_offering(
    tx: Transaction, request: CreateInstanceOffering, caller: Caller
) -> InstanceOffering:
    """A row."""
    offering = InstanceOffering(
        uuid=uuid_for(tx, request, InstanceOffering),
        name=request.name,
        description=request.description,
        cpu_num=request.cpu_num,
        cpu_speed=request.cpu_speed,
        memory_size=request.memory_size,
        sort_key=request.sort_key,
    )
    return add(tx, request, offering)


@handles(DeleteInstanceOffering)
def delete_instance_offering(tx: Transaction, request: DeleteInstanceOffering, caller: Caller) -> None:
    """Gone; VMs keep their own figures."""
    offering = tx.find(InstanceOffering, request.uuid)
    if offering is not None:
        drop_tags(tx, offering.uuid)
        tx.delete(offering)
