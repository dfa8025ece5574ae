"""Tags that only the appliance makes, changes and removes."""

from __future__ import annotations

from appliance.api.resource import Resource
from appliance.api.tag import SystemTag
from appliance.store.snapshot import Snapshot
from appliance.store.transaction import Transaction


def put_inherent_tag(tx: Transaction, resource: Resource, tag: str) -> SystemTag:
    """Put a tag on a resource; it is not looked whether it is there."""
    uuid = str(resource.key_value)
    return tx.insert(
        SystemTag(uuid=tx.new_uuid(), resource_uuid=uuid, resource_type=resource.vo, tag=tag, inherent=True)
    )


def drop_inherent_tags(tx: Transaction, resource: Resource, start: str) -> None:
    """Take off what the appliance put on a resource, by how it begins."""
    for tag in _inherent(tx, resource, start):
        tx.delete(tag)


def set_inherent_tag(tx: Transaction, resource: Resource, start: str, rest: str | None) -> None:
    """Let a resource have one tag that begins so and goes on as `rest`, the same as before; none when None."""
    found = _inherent(tx, resource, start)
    for tag in found if rest is None else found[1:]:
        tx.delete(tag)
    if rest is None:
        return
    if found:
        tx.update(found[0], tag=f"{start}{rest}")
    else:
        put_inherent_tag(tx, resource, f"{start}{rest}")


def _inherent(snapshot: Snapshot, resource: Resource, start: str) -> list[SystemTag]:
    found = snapshot.all(SystemTag, resource_uuid=str(resource.key_value), inherent=True)
    return [tag for tag in found if tag.tag.startswith(start)]
