"""What a call names: it is there, and an account touches its own and uses what is shared with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from appliance.api.account import ADMIN_UUID
from appliance.api.errors import NotAllowed, ResourceNotFound
from appliance.api.message import CreateMessage, Message, Parameter, QueryMessage
from appliance.api.ownership import ACCOUNTS_OWN, OWNED, PART_OF, SharedResource
from appliance.api.resource import RESOURCES, Resource
from appliance.api.tag import SystemTag, UserTag
from appliance.resources.registry import Caller
from appliance.store.snapshot import Snapshot

USED = frozenset({
    "data_disk_offering_uuids", "default_l3_network_uuid", "disk_offering_uuid", "image_uuid",
    "instance_offering_uuid", "iso_uuid", "l2_network_uuid", "l3_network_uuids", "management_network_uuid",
    "public_network_uuid", "root_disk_offering_uuid",
})  # fmt: skip
"""Parameters that name what a call uses, and does not change: what is shared will do."""

USES_NETWORK = frozenset({
    "AttachL3NetworkToVm", "AttachSecurityGroupToL3Network", "CreateVip", "DetachSecurityGroupFromL3Network",
})  # fmt: skip
"""Messages that use the L3 network which they name in `l3NetworkUuid`."""

TAGS = (SystemTag, UserTag)


def check_references(snapshot: Snapshot, message: Message) -> None:
    """Refuse a message that names a resource that is not there. Raises ResourceNotFound."""
    for parameter in message.parameters.values():
        value = getattr(message, parameter.name)
        if parameter.ref is None or value is None:
            continue
        if isinstance(value, list):
            lost = [each for each in value if not _exists(snapshot, parameter, each)]
            if lost:
                raise ResourceNotFound(
                    f"invalid field[{parameter.wire}], resource[uuids:[{', '.join(lost)}], "
                    f"type:{parameter.ref_vo}] not found"
                )
        elif not _exists(snapshot, parameter, value):
            raise ResourceNotFound(
                f"invalid field[{parameter.wire}], resource[uuid:{value}, type:{parameter.ref_vo}] not found"
            )


def _exists(snapshot: Snapshot, parameter: Parameter, uuid: str) -> bool:
    """Whether a uuid names a resource that a parameter can refer to, of the right type where it is one's."""
    kind = parameter.ref
    found = snapshot.find(kind, uuid) if kind is not None else None
    if kind is None or found is None or not parameter.ref_child:
        return found is not None
    of_type = {child.name: child.type for child in kind.children}[parameter.ref_child]
    return bool(getattr(found, kind.typed_by) == of_type)


def check_access(snapshot: Snapshot, message: Message, caller: Caller) -> None:
    """Refuse a call that names another account's resource. Raises NotAllowed; the admin names what it likes."""
    if caller.is_admin or isinstance(message, QueryMessage):
        return
    for parameter in message.parameters.values():
        if isinstance(message, CreateMessage) and parameter.name in CreateMessage.parameters:
            continue
        for uuid in _texts(getattr(message, parameter.name)):
            resource = _named(snapshot, parameter, uuid)
            if resource is not None:
                _check(snapshot, resource, caller, shared=_is_used(message, parameter))


def check_touch(snapshot: Snapshot, kind: type[Resource], uuid: str, caller: Caller) -> None:
    """Refuse to change another account's resource. Raises NotAllowed; one that is not there passes."""
    resource = None if caller.is_admin else snapshot.find(kind, uuid)
    if resource is not None:
        _check(snapshot, resource, caller, shared=False)


def only_seen(snapshot: Snapshot, body: dict[str, Any], caller: Caller) -> dict[str, Any]:
    """An answer without those of its `inventories` that the caller does not see."""
    found = body.get("inventories")
    if caller.is_admin or not isinstance(found, list):
        return body
    return {**body, "inventories": [each for each in found if _is_seen(snapshot, each.get("uuid"), caller)]}


def owner_and_origin(snapshot: Snapshot, resource: Resource) -> tuple[str | None, str]:
    """The account that a resource belongs to (None when it is nobody's own), and the uuid it is shared by."""
    kind, key = resource.name_, str(resource.key_value)
    if kind in OWNED:
        return snapshot.owner_of(key), key
    if kind in ACCOUNTS_OWN:
        return getattr(resource, ACCOUNTS_OWN[kind]) or ADMIN_UUID, key
    if isinstance(resource, TAGS):
        parents = [each for each in RESOURCES.values() if each.vo == resource.resource_type]
        parent = resource.resource_uuid
    elif kind in PART_OF:
        column, name = PART_OF[kind]
        parents = [RESOURCES[name]]
        parent = getattr(resource, column)
    else:
        return None, key
    found = next((row for each in parents if (row := snapshot.find(each, parent)) is not None), None)
    return (None, key) if found is None else owner_and_origin(snapshot, found)


def _texts(value: Any) -> Iterator[str]:
    """Every text in a parameter's value that can be a uuid."""
    if isinstance(value, str) and len(value) == 32:
        yield value
    elif isinstance(value, (list, dict)):
        for each in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _texts(each)


def _named(snapshot: Snapshot, parameter: Parameter, uuid: str) -> Resource | None:
    """The resource that has an owner and that a parameter names; None when there is none."""
    kinds: list[type[Resource]] = [parameter.ref] if parameter.ref else _kinds()
    for kind in kinds:
        if kind in _kinds() and (found := snapshot.find(kind, uuid)) is not None:
            return found
    return None


def _kinds() -> list[type[Resource]]:
    names = (*OWNED, *PART_OF, *ACCOUNTS_OWN, *(tag.name_ for tag in TAGS))
    found = [RESOURCES[name] for name in names if name in RESOURCES and name != "Account"]
    return [kind for kind in found if kind.primary == "uuid"]


def _is_used(message: Message, parameter: Parameter) -> bool:
    name = type(message).__name__
    if name.startswith(("Get", "Check")) or parameter.name in USED:
        return True
    return parameter.name == "l3_network_uuid" and name in USES_NETWORK


def _check(snapshot: Snapshot, resource: Resource, caller: Caller, *, shared: bool) -> None:
    owner, origin = owner_and_origin(snapshot, resource)
    if owner is None or owner == caller.account_uuid:
        return
    if shared and _is_shared(snapshot, origin, caller.account_uuid):
        return
    raise NotAllowed(
        f"operation denied. The resource[uuid: {resource.key_value}, type: {resource.vo}] doesn't belong to "
        f"the account[uuid: {caller.account_uuid}]"
    )


def _is_seen(snapshot: Snapshot, uuid: Any, caller: Caller) -> bool:
    resource = next((row for kind in _kinds() if (row := snapshot.find(kind, uuid)) is not None), None)
    if resource is None:
        return True
    owner, origin = owner_and_origin(snapshot, resource)
    return owner in (None, caller.account_uuid) or _is_shared(snapshot, origin, caller.account_uuid)


def _is_shared(snapshot: Snapshot, uuid: str, account_uuid: str) -> bool:
    return any(
        each.to_public or each.receiver_account_uuid == account_uuid
        for each in snapshot.all(SharedResource, resource_uuid=uuid)
    )
