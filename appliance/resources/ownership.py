"""What requests about sharing resources mean."""

from __future__ import annotations

from appliance.api.errors import InvalidArgument, ResourceNotFound
from appliance.api.ownership import (
    OWNED,
    AccountResourceRef,
    RevokeResourceSharing,
    SharedResource,
    ShareResource,
)
from appliance.api.resource import RESOURCES, Resource
from appliance.resources.registry import Caller, handles
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(ShareResource)
def share_resource(tx: Transaction, request: ShareResource, caller: Caller) -> None:
    """A row for each resource and account, once; one without an account for all."""
    receivers: list[str | None] = list(dict.fromkeys(request.account_uuids))
    if request.to_public:
        receivers.append(None)
    if not receivers:
        raise InvalidArgument("name the accounts in accountUuids, or say toPublic=true")
    for uuid in dict.fromkeys(request.resource_uuids):
        resource = _owned(tx, uuid)
        owner = tx.owner_of(uuid)
        for receiver in receivers:
            _share(tx, resource, owner, receiver)
        _mark(tx, uuid)


@handles(RevokeResourceSharing)
def revoke_sharing(tx: Transaction, request: RevokeResourceSharing, caller: Caller) -> None:
    """The rows gone."""
    if not (request.all or request.to_public or request.account_uuids):
        raise InvalidArgument("name the accounts in accountUuids, or say toPublic=true or all=true")
    for uuid in dict.fromkeys(request.resource_uuids):
        for shared in tx.all(SharedResource, resource_uuid=uuid):
            named = (
                request.to_public
                if shared.to_public
                else shared.receiver_account_uuid in request.account_uuids
            )
            if request.all or named:
                tx.delete(shared)
        _mark(tx, uuid)


def _owned(snapshot: Snapshot, uuid: str) -> Resource:
    for name in sorted(OWNED & RESOURCES.keys()):
        found = snapshot.find(RESOURCES[name], uuid)
        if found is not None:
            return found
    raise ResourceNotFound(
        f"invalid field[resourceUuids], resource[uuid:{uuid}] that can be shared not found"
    )


def _share(tx: Transaction, resource: Resource, owner: str, receiver: str | None) -> None:
    uuid = str(resource.key_value)
    known = tx.exists(
        SharedResource, resource_uuid=uuid, receiver_account_uuid=receiver, to_public=int(receiver is None)
    )
    if known or receiver == owner:
        return
    tx.insert(
        SharedResource(
            uuid=tx.new_uuid(),
            owner_account_uuid=owner,
            receiver_account_uuid=receiver,
            to_public=receiver is None,
            resource_uuid=uuid,
            resource_type=resource.vo,
        )
    )


def _mark(tx: Transaction, uuid: str) -> None:
    ref = tx.find(AccountResourceRef, uuid)
    if ref is not None:
        tx.update(ref, is_shared=tx.exists(SharedResource, resource_uuid=uuid))
