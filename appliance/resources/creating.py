"""What every create, update and delete has in common."""

from __future__ import annotations

from typing import Any, TypeVar

from appliance.api.account import Account
from appliance.api.errors import InvalidArgument, NotAllowed
from appliance.api.message import CreateMessage, Message
from appliance.api.resource import RESOURCES, Resource
from appliance.resources.tags_of import put_tags
from appliance.store.snapshot import Snapshot
from appliance.store.table import quoted
from appliance.store.transaction import Transaction
from appliance.store.viewer import Sight, Viewer

STATES = {"enable": "Enabled", "disable": "Disabled"}
"""What a `stateEvent` brings."""

R = TypeVar("R", bound=Resource)


def uuid_for(tx: Transaction, request: CreateMessage, kind: type[Resource]) -> str:
    """The uuid for a new resource: the caller's, if it is free, else a new one."""
    check_uuid(tx, request, kind)
    return request.resource_uuid or tx.new_uuid()


def check_uuid(snapshot: Snapshot, request: CreateMessage, kind: type[Resource]) -> None:
    """Refuse the caller's uuid when a resource has it: of any kind, since tags and owners are known by uuid alone."""
    uuid = request.resource_uuid
    if uuid is None:
        return
    for taken in (kind, *RESOURCES.values()):
        if taken.primary == "uuid" and snapshot.find(taken, uuid) is not None:
            if not _is_seen(snapshot, taken, uuid):
                raise InvalidArgument(f"field[resourceUuid]: {uuid} is taken already; choose another")
            raise InvalidArgument(
                f"field[resourceUuid]: {taken.vo}[uuid:{uuid}] exists already; choose another"
            )


def _is_seen(snapshot: Snapshot, kind: type[Resource], uuid: str) -> bool:
    """Whether the account that a change is made for may know what has a uuid; the admin may."""
    asks = snapshot.account_uuid if isinstance(snapshot, Transaction) else None
    account = None if asks is None else snapshot.find(Account, asks)
    if account is None or account.type == "SystemAdmin":
        return True
    try:
        seen = Sight(Viewer(account.uuid)).test(kind, kind.table)
    except NotAllowed:
        return False
    test, parameters = seen or ("1", [])
    sql = f"SELECT 1 FROM {quoted(kind.table)} WHERE uuid = ? AND {test}"
    return bool(snapshot.rows(sql, [uuid, *parameters]))


def add(tx: Transaction, request: CreateMessage, resource: R) -> R:
    """Insert a new resource with the tags its message gives it."""
    resource = tx.insert(resource)
    put_tags(tx, request, resource)
    return resource


def given(request: Message, *names: str) -> dict[str, Any]:
    """Those of the named parameters that the caller gave."""
    return {name: value for name in names if (value := getattr(request, name)) is not None}


def asked(request: Message) -> dict[str, str]:
    """The uuids that a call names, by field: what it is told that cannot be met."""
    found = {}
    for name, parameter in request.parameters.items():
        value = getattr(request, name)
        if value and (name == "uuid" or name.endswith(("_uuid", "_uuids"))) and name != "resource_uuid":
            found[parameter.wire] = ",".join(value) if isinstance(value, list) else str(value)
    return found


def refuse_twins(snapshot: Snapshot, kind: type[Resource], what: str, **equals: Any) -> None:
    """Refuse a second resource with the same values."""
    found = snapshot.first(kind, **equals)
    if found is not None:
        raise InvalidArgument(f"{what} [{kind.vo} uuid:{found.key_value}]")
