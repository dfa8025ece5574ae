"""What quotas mean: how much an account has of each, and when that is too much."""

from __future__ import annotations

from appliance.api.account import Account
from appliance.api.errors import InvalidArgument, QuotaExceeded
from appliance.api.quota import CATEGORY, Quota, UpdateQuota
from appliance.api.resource import RESOURCES, Resource
from appliance.api.setting import QUOTAS
from appliance.resources.registry import Caller, handles
from appliance.store.snapshot import Snapshot
from appliance.store.table import SUM, quoted, table_of
from appliance.store.transaction import Transaction

LIVING_VMS = "state <> 'Destroyed'"
DATA_VOLUMES = "type = 'Data' AND status <> 'Deleted'"

MEASURES = {
    "vm.num": ("VmInstance", "COUNT(*)", LIVING_VMS),
    "vm.cpuNum": ("VmInstance", "SUM(cpu_num)", LIVING_VMS),
    "vm.memorySize": ("VmInstance", "SUM(memory_size)", LIVING_VMS),
    "volume.data.num": ("Volume", "COUNT(*)", DATA_VOLUMES),
    "volume.capacity": ("Volume", "SUM(size)", "status <> 'Deleted'"),
    "l3.num": ("L3Network", "COUNT(*)", "1"),
    "securityGroup.num": ("SecurityGroup", "COUNT(*)", "1"),
    "vip.num": ("Vip", "COUNT(*)", "1"),
    "eip.num": ("Eip", "COUNT(*)", "1"),
    "portForwarding.num": ("PortForwardingRule", "COUNT(*)", "1"),
    "loadBalancer.num": ("LoadBalancer", "COUNT(*)", "1"),
}
"""What each quota counts: of which resource, what, and of which rows. A destroyed VM counts no more."""


def check_quota(tx: Transaction, account_uuid: str) -> None:
    """Refuse a transaction after which its account has too much, and more than before. Raises QuotaExceeded."""
    touched = {change.kind.name_ for change in tx.changes() if change.after is not None}
    for name, (kind, _, _) in MEASURES.items():
        if kind not in touched:
            continue
        quota = tx.first(Quota, identity_uuid=account_uuid, name=name)
        if (
            quota is None
            or used(tx, account_uuid, name) <= quota.value
            or _added(tx, account_uuid, name) <= 0
        ):
            continue
        raise QuotaExceeded(
            f"quota exceeding. The account[uuid: {account_uuid}] exceeds a quota[name: {name}, "
            f"value: {quota.value}]"
        )


def used(snapshot: Snapshot, account_uuid: str, name: str) -> int:
    """How much an account has of what a quota limits."""
    kind_name, what, which = MEASURES[name]
    kind: type[Resource] | None = RESOURCES.get(kind_name)
    if kind is None:
        return 0
    mine = "SELECT resource_uuid FROM account_resource_ref WHERE account_uuid = ?"
    sql = f"SELECT COALESCE({what}, 0) FROM {quoted(kind.table)} WHERE uuid IN ({mine}) AND {which}"
    return int(snapshot.rows(sql, [account_uuid])[0][0])


def _added(tx: Transaction, account_uuid: str, name: str) -> int:
    """How much more an account has, by what this transaction did, of what a quota limits."""
    return sum(
        _counted(tx, name, change.after) - _counted(tx, name, change.before)
        for change in tx.changes()
        if change.kind.name_ == MEASURES[name][0]
        and (change.after is None or tx.owner_of(change.key) == account_uuid)
    )


def _counted(snapshot: Snapshot, name: str, resource: Resource | None) -> int:
    """What one resource, as it is or was, adds to what a quota limits: asked of SQL, which measures all of them."""
    if resource is None:
        return 0
    _, what, which = MEASURES[name]
    table = table_of(type(resource))
    row = ", ".join(f"? AS {quoted(column)}" for column in (*table.names, SUM))
    sql = f"SELECT COALESCE({what}, 0) FROM (SELECT {row}) WHERE {which}"
    return int(snapshot.rows(sql, table.encode(resource))[0][0])


def give_quotas(tx: Transaction, account: Account) -> None:
    """What a new account may have: what the global configs say now."""
    for name in QUOTAS:
        value = int(tx.setting(CATEGORY, name))
        tx.insert(Quota(uuid=tx.new_uuid(), name=name, identity_uuid=account.uuid, value=value))


@handles(UpdateQuota)
def update_quota(tx: Transaction, request: UpdateQuota, caller: Caller) -> Quota:
    """The row's number."""
    quota = tx.first(Quota, identity_uuid=request.identity_uuid, name=request.name)
    if quota is None:
        raise InvalidArgument(
            f"cannot find Quota[name: {request.name}] for the account[uuid: {request.identity_uuid}]; "
            f"there are {', '.join(QUOTAS)}, and an admin has none"
        )
    if request.value < 0:
        raise InvalidArgument(f"value[{request.value}] must not be below 0")
    return tx.update(quota, value=request.value)
