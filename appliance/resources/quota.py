"""What quotas mean: how much an account has of each, and when that is too much."""

from __future__ import annotations

from appliance.api.account import Account
from appliance.api.errors import InvalidArgument, QuotaExceeded
from appliance.api.quota import CATEGORY, Quota, UpdateQuota
from appliance.api.resource import RESOURCES, Resource
from appliance.api.setting import QUOTAS
from appliance.resources.registry import Caller, handles
from appliance.store.snapshot import Snapshot
from appliance.store.table import quoted
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
    """Refuse what this transaction has made when its account has too much then. Raises QuotaExceeded."""
    made = {change.kind.name_ for change in tx.changes() if change.after is not None}
    for name, (kind, _, _) in MEASURES.items():
        if kind not in made:
            continue
        quota = tx.first(Quota, identity_uuid=account_uuid, name=name)
        if quota is not None and used(tx, account_uuid, name) > quota.value:
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
