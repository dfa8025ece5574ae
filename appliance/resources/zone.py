"""What requests about zones mean."""

from __future__ import annotations

from appliance.api.cluster import Cluster
from appliance.api.counting import counted
from appliance.api.errors import OperationFailed
from appliance.api.l2 import L2Network
from appliance.api.storage import BackupStorageZoneRef, PrimaryStorage
from appliance.api.zone import ChangeZoneState, CreateZone, DeleteZone, UpdateZone, Zone
from appliance.resources.creating import add, given, uuid_for
from appliance.resources.registry import Caller, handles
from appliance.store.transaction import Transaction


@handles(CreateZone)
def create_zone(tx: Transaction, request: CreateZone, caller: Caller) -> Zone:
    """A row."""
    zone = Zone(uuid=uuid_for(tx, request, Zone), name=request.name, description=request.description)
    return add(tx, request, zone)


@handles(UpdateZone)
def update_zone(tx: Transaction, request: UpdateZone, caller: Caller) -> Zone:
    """The row's words."""
    return tx.update(tx.get(Zone, request.uuid), **given(request, "name", "description"))


@handles(ChangeZoneState)
def change_zone_state(tx: Transaction, request: ChangeZoneState, caller: Caller) -> Zone:
    """The row's state."""
    state = "Enabled" if request.state_event == "enable" else "Disabled"
    return tx.update(tx.get(Zone, request.uuid), state=state)


@handles(DeleteZone)
def delete_zone(tx: Transaction, request: DeleteZone, caller: Caller) -> None:
    """Gone when it is empty."""
    zone = tx.find(Zone, request.uuid)
    if zone is None:
        return
    for kind, one, many in (
        (Cluster, "cluster", "clusters"),
        (L2Network, "L2 network", "L2 networks"),
        (PrimaryStorage, "storage", "storages"),
    ):
        count = tx.count(kind, zone_uuid=zone.uuid)
        if count:
            raise OperationFailed(
                f"zone {zone.name}[uuid:{zone.uuid}] holds {counted(count, one, many)}; delete them first"
            )
    for ref in tx.all(BackupStorageZoneRef, zone_uuid=zone.uuid):
        tx.delete(ref)
    tx.delete(zone)
