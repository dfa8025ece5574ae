"""What requests about tags mean."""

from __future__ import annotations

from typing import Any

from appliance.api.errors import InvalidArgument, OperationFailed, ResourceNotFound
from appliance.api.tag import (
    CreateSystemTag,
    CreateUserTag,
    DeleteTag,
    SystemTag,
    UpdateSystemTag,
    UserTag,
    tagged_kind,
)
from appliance.reconcile.capacity import recount_tagged
from appliance.resources.registry import Caller, handles
from appliance.resources.static_ip import readdress
from appliance.resources.tag_checks import check_system_tag
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


@handles(CreateSystemTag)
def create_system_tag(
    tx: Transaction, request: CreateSystemTag, caller: Caller
) -> SystemTag | dict[str, Any]:
    """A row, once; the same tag again succeeds without an inventory, as ZStack has it."""
    _check_resource(tx, request)
    if tx.exists(SystemTag, resource_uuid=request.resource_uuid, tag=request.tag):
        return {}
    check_system_tag(tx, request.resource_type, request.resource_uuid, request.tag)
    tag = tx.insert(
        SystemTag(
            uuid=tx.new_uuid(),
            resource_uuid=request.resource_uuid,
            resource_type=request.resource_type,
            tag=request.tag,
        )
    )
    _heed(tx, tag)
    return tag


@handles(UpdateSystemTag)
def update_system_tag(tx: Transaction, request: UpdateSystemTag, caller: Caller) -> SystemTag:
    """The row's text; the uuid stays."""
    tag = tx.get(SystemTag, request.uuid)
    if tag.inherent:
        raise OperationFailed(f"tag[uuid:{tag.uuid}] is an inherent system tag, can not be changed")
    check_system_tag(tx, tag.resource_type, tag.resource_uuid, request.tag, besides=tag.uuid)
    changed = tx.update(tag, tag=request.tag)
    _heed(tx, tag)
    _heed(tx, changed)
    return changed


@handles(CreateUserTag)
def create_user_tag(tx: Transaction, request: CreateUserTag, caller: Caller) -> UserTag | dict[str, Any]:
    """A row, once."""
    _check_resource(tx, request)
    if tx.exists(UserTag, resource_uuid=request.resource_uuid, tag=request.tag):
        return {}
    return tx.insert(
        UserTag(
            uuid=tx.new_uuid(),
            resource_uuid=request.resource_uuid,
            resource_type=request.resource_type,
            tag=request.tag,
        )
    )


@handles(DeleteTag)
def delete_tag(tx: Transaction, request: DeleteTag, caller: Caller) -> None:
    """The row gone; a uuid that names no tag succeeds."""
    tag = tx.find(SystemTag, request.uuid) or tx.find(UserTag, request.uuid)
    if tag is None:
        return
    if isinstance(tag, SystemTag) and tag.inherent:
        raise OperationFailed(f"tag[uuid:{tag.uuid}] is an inherent system tag, can not be removed")
    tx.delete(tag)
    if isinstance(tag, SystemTag):
        _heed(tx, tag)


def _heed(tx: Transaction, tag: SystemTag) -> None:
    """Bring rows in line with a tag that came, changed or went: `tag` is how it is, or was."""
    recount_tagged(tx, tag)
    readdress(tx, tag)


def _check_resource(snapshot: Snapshot, request: CreateSystemTag | CreateUserTag) -> None:
    kind = tagged_kind(request.resource_type)
    if kind is None:
        raise InvalidArgument(f"no resource type[{request.resource_type}] found in tag system")
    if snapshot.find(kind, request.resource_uuid) is None:
        raise ResourceNotFound(
            f"invalid field[resourceUuid], resource[uuid:{request.resource_uuid}, type:{kind.vo}] not found"
        )
