"""Tags that come and go with their resource."""

from __future__ import annotations

import json

from appliance.api.message import CreateMessage
from appliance.api.resource import Resource
from appliance.api.tag import SystemTag, UserTag
from appliance.resources.tag_checks import check_system_tag
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def put_tags(tx: Transaction, request: CreateMessage, resource: Resource) -> None:
    """Put a create message's tags on what it made, each once; refuse those that mean nothing."""
    uuid = str(resource.key_value)
    for tag in dict.fromkeys(request.system_tags):
        check_system_tag(tx, resource.vo, uuid, tag)  # each against those before it
        tx.insert(SystemTag(uuid=tx.new_uuid(), resource_uuid=uuid, resource_type=resource.vo, tag=tag))
    for tag in dict.fromkeys(request.user_tags):
        tx.insert(UserTag(uuid=tx.new_uuid(), resource_uuid=uuid, resource_type=resource.vo, tag=tag))


def tags_to_be(tx: Transaction, request: CreateMessage, kind: type[Resource], uuid: str) -> str:
    """A create message's tags for what begins later, as JSON; refuses those that mean nothing."""
    for tag in request.system_tags:
        check_system_tag(tx, kind.vo, uuid, tag)
    return json.dumps({SystemTag.name_: request.system_tags, UserTag.name_: request.user_tags})


def system_tags(snapshot: Snapshot, uuid: str) -> list[str]:
    """The texts of a resource's system tags, oldest first."""
    return [tag.tag for tag in snapshot.all(SystemTag, resource_uuid=uuid, order_by="create_date")]
